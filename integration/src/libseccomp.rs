//! The host's libseccomp, driven as runc drives it: what our own compiler is compared with.
#![allow(unsafe_code, reason = "a C library, found at run time so that nothing needs it to be there")]

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::{AsRawFd, FromRawFd};

use libcontainer::seccomp::Instruction;
use oci_spec::runtime::{Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompOperator};

type Context = *mut c_void;

/// `struct scmp_arg_cmp`
#[repr(C)]
struct Condition {
    argument: c_uint,
    operator: c_uint,
    first: u64,
    second: u64,
}

/// `SCMP_FLTATR_ACT_BADARCH`
const BAD_ARCHITECTURE: c_uint = 2;
/// `SCMP_FLTATR_CTL_OPTIMIZE`
const OPTIMIZE: c_uint = 8;
const KILL_PROCESS: u32 = 0x8000_0000;

/// The library's functions, by their types in `seccomp.h`.
pub struct Library {
    init: unsafe extern "C" fn(u32) -> Context,
    release: unsafe extern "C" fn(Context),
    arch_add: unsafe extern "C" fn(Context, u32) -> c_int,
    attr_set: unsafe extern "C" fn(Context, c_uint, u32) -> c_int,
    resolve: unsafe extern "C" fn(*const c_char) -> c_int,
    resolve_on: unsafe extern "C" fn(u32, *const c_char) -> c_int,
    rule_add: unsafe extern "C" fn(Context, u32, c_int, c_uint, *const Condition) -> c_int,
    export: unsafe extern "C" fn(Context, c_int) -> c_int,
    load: unsafe extern "C" fn(Context) -> c_int,
}

/// How the library lays out what it compiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One comparison after the other, as runc leaves it.
    List,
    /// A binary tree of system call numbers.
    Tree,
}

/// A profile in the library's hands.
pub struct Filter<'a> {
    library: &'a Library,
    context: Context,
    /// The rules that the library refused, by their place in the profile.
    pub refused: Vec<usize>,
}

impl Library {
    /// Opens the library; `None` where it is not installed.
    #[must_use]
    pub fn open() -> Option<Self> {
        // SAFETY: libseccomp's constructors, of which there are none, have no requirements.
        let handle = unsafe { libc::dlopen(c"libseccomp.so.2".as_ptr(), libc::RTLD_NOW) };
        if handle.is_null() {
            return None;
        }
        // SAFETY: each symbol is a function of libseccomp.so.2 whose declaration in seccomp.h the field's type
        // repeats; the library is never closed.
        unsafe {
            Some(Self {
                init: function(handle, c"seccomp_init")?,
                release: function(handle, c"seccomp_release")?,
                arch_add: function(handle, c"seccomp_arch_add")?,
                attr_set: function(handle, c"seccomp_attr_set")?,
                resolve: function(handle, c"seccomp_syscall_resolve_name")?,
                resolve_on: function(handle, c"seccomp_syscall_resolve_name_arch")?,
                rule_add: function(handle, c"seccomp_rule_add_array")?,
                export: function(handle, c"seccomp_export_bpf")?,
                load: function(handle, c"seccomp_load")?,
            })
        }
    }

    /// Whether the library has heard of a system call of this name, on whatever architecture.
    #[must_use]
    pub fn knows(&self, name: &str) -> bool {
        self.number(name).is_some()
    }

    /// Whether the library has a number, or a way around having one, for a system call on this architecture.
    #[must_use]
    pub fn has(&self, arch: Arch, name: &str) -> bool {
        let (Some(token), Ok(name)) = (token(arch), CString::new(name)) else { return false };
        // SAFETY: the name ends with NUL.
        let number = unsafe { (self.resolve_on)(token, name.as_ptr()) };
        // The numbers below -100 that stand for socketcall and ipc; the rest stands for nothing.
        number >= 0 || (-300..=-100).contains(&number)
    }

    fn number(&self, name: &str) -> Option<c_int> {
        let name = CString::new(name).ok()?;
        // SAFETY: the name ends with NUL.
        let number = unsafe { (self.resolve)(name.as_ptr()) };
        (number != -1).then_some(number)
    }

    /// Gives the library a profile as runc does: rules that do what the default does are left out, and conditions on
    /// one argument that is named twice become rules of their own. A call of an architecture that the profile does not list kills
    /// the process, as it does with us.
    ///
    /// # Panics
    /// If the library is out of memory.
    #[must_use]
    pub fn filter(&self, profile: &LinuxSeccomp, layout: Layout) -> Filter<'_> {
        let default = value(profile.default_action(), profile.default_errno_ret());
        // SAFETY: the action is one that the library knows.
        let context = unsafe { (self.init)(default) };
        assert!(!context.is_null(), "seccomp_init({default:#x}): {}", std::io::Error::last_os_error());
        let mut filter = Filter { library: self, context, refused: Vec::new() };
        // SAFETY: the context is alive.
        unsafe { (self.attr_set)(context, BAD_ARCHITECTURE, KILL_PROCESS) };
        if layout == Layout::Tree {
            // SAFETY: the context is alive.
            unsafe { (self.attr_set)(context, OPTIMIZE, 2) };
        }
        for arch in profile.architectures().iter().flatten() {
            if let Some(token) = token(*arch) {
                // SAFETY: the context is alive. The native architecture is there already, which is no harm.
                unsafe { (self.arch_add)(context, token) };
            }
        }
        for (place, rule) in profile.syscalls().iter().flatten().enumerate() {
            let action = value(rule.action(), rule.errno_ret());
            let arguments = rule.args().as_deref().unwrap_or_default();
            let numbers = rule.names().iter().filter_map(|name| self.number(name));
            for number in numbers.filter(|_| action != default) {
                let taken = filter.add(action, number, arguments);
                if !taken && filter.refused.last() != Some(&place) {
                    filter.refused.push(place);
                }
            }
        }
        filter
    }
}

impl Filter<'_> {
    fn add(&mut self, action: u32, number: c_int, arguments: &[LinuxSeccompArg]) -> bool {
        let conditions: Vec<Condition> = arguments.iter().map(condition).collect();
        let repeated = conditions
            .iter()
            .any(|one| conditions.iter().filter(|other| other.argument == one.argument).count() > 1);
        let add = |conditions: &[Condition]| {
            let count = c_uint::try_from(conditions.len()).unwrap_or(c_uint::MAX);
            // SAFETY: the context is alive, and the library reads `count` conditions.
            unsafe { (self.library.rule_add)(self.context, action, number, count, conditions.as_ptr()) == 0 }
        };
        match repeated {
            true => conditions.chunks(1).map(add).fold(true, |all, one| all & one),
            false => add(&conditions),
        }
    }

    /// The program.
    ///
    /// # Panics
    /// If the library cannot write it.
    #[must_use]
    pub fn program(&self) -> Vec<Instruction> {
        // SAFETY: the name ends with NUL; the descriptor is new and ours alone.
        let mut file = unsafe { File::from_raw_fd(libc::memfd_create(c"bpf".as_ptr(), libc::MFD_CLOEXEC)) };
        // SAFETY: the context is alive.
        let written = unsafe { (self.library.export)(self.context, file.as_raw_fd()) };
        assert_eq!(written, 0, "seccomp_export_bpf");
        let mut bytes = Vec::new();
        let read = file.rewind().and_then(|()| file.read_to_end(&mut bytes));
        assert!(read.is_ok(), "a memfd can be read: {read:?}");
        let instruction = |word: &[u8; 8]| Instruction {
            code: u16::from_ne_bytes([word[0], word[1]]),
            jt: word[2],
            jf: word[3],
            k: u32::from_ne_bytes([word[4], word[5], word[6], word[7]]),
        };
        bytes.as_chunks().0.iter().map(instruction).collect()
    }

    /// Compiles the profile and loads it into this thread, for good.
    #[must_use]
    pub fn load(&self) -> bool {
        // SAFETY: the context is alive.
        unsafe { (self.library.load)(self.context) == 0 }
    }
}

impl Drop for Filter<'_> {
    fn drop(&mut self) {
        // SAFETY: the context is alive and used by nobody else.
        unsafe { (self.library.release)(self.context) };
    }
}

/// # Safety
/// `name` must be a function of the type `F`, which must be a function pointer.
unsafe fn function<F: Copy>(handle: *mut c_void, name: &CStr) -> Option<F> {
    // SAFETY: the handle is that of an open library, the name ends with NUL.
    let symbol = unsafe { libc::dlsym(handle, name.as_ptr()) };
    // SAFETY: the caller's.
    (!symbol.is_null()).then(|| unsafe { std::mem::transmute_copy(&symbol) })
}

/// The library's architecture tokens: those of the kernel's audit, and one of its own for x32.
fn token(arch: Arch) -> Option<u32> {
    Some(match arch {
        Arch::ScmpArchX86 => 0x4000_0003,
        Arch::ScmpArchX86_64 => 0xc000_003e,
        Arch::ScmpArchX32 => 0x4000_003e,
        Arch::ScmpArchAarch64 => 0xc000_00b7,
        Arch::ScmpArchArm => 0x4000_0028,
        _ => return None,
    })
}

fn value(action: LinuxSeccompAction, errno: Option<u32>) -> u32 {
    use LinuxSeccompAction as Action;
    match action {
        Action::ScmpActKill | Action::ScmpActKillThread => 0,
        Action::ScmpActKillProcess => KILL_PROCESS,
        Action::ScmpActTrap => 0x0003_0000,
        Action::ScmpActErrno => 0x0005_0000 | errno.unwrap_or(1),
        Action::ScmpActNotify => 0x7fc0_0000,
        Action::ScmpActTrace => 0x7ff0_0000 | errno.unwrap_or(1),
        Action::ScmpActLog => 0x7ffc_0000,
        Action::ScmpActAllow => 0x7fff_0000,
    }
}

fn condition(argument: &LinuxSeccompArg) -> Condition {
    use LinuxSeccompOperator as Operator;
    let operator = match argument.op() {
        Operator::ScmpCmpNe => 1,
        Operator::ScmpCmpLt => 2,
        Operator::ScmpCmpLe => 3,
        Operator::ScmpCmpEq => 4,
        Operator::ScmpCmpGe => 5,
        Operator::ScmpCmpGt => 6,
        Operator::ScmpCmpMaskedEq => 7,
    };
    Condition {
        argument: c_uint::try_from(argument.index()).unwrap_or(c_uint::MAX),
        operator,
        first: argument.value(),
        second: argument.value_two().unwrap_or_default(),
    }
}
