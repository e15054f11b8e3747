//! File systems of `/mounts` that are lent by the host: those whose ids are mapped or that are filled, which `Init` may
//! not do in a user namespace, and sysfs where `Init` may not mount it.

use std::path::PathBuf;

use super::build::Build;
use super::entry::{NewFilesystem, Source, Template, Tree};
use super::filesystems::{self, Datum};
use super::mounts::{attributes, bind, now, pointer, propagation};
use super::{idmap, long_options, mount_ids};
use crate::spec::{Attributes, Membership, Mount, MountKind, attr};
use crate::{Error, ErrorKind, Result};

/// Whether the host lends what `mount` shows.
pub(super) fn is(build: &Build<'_>, mount: &Mount) -> bool {
    match &mount.kind {
        MountKind::Filesystem { fstype, copy_up, .. } => {
            *copy_up || mount.idmap.is_some() || (fstype == "sysfs" && !may_mount_sysfs(build))
        }
        _ => false,
    }
}

/// sysfs shows a network namespace, and the user namespace that mounts it must own that.
fn may_mount_sysfs(build: &Build<'_>) -> bool {
    let namespaces = &build.request.config.namespaces;
    let owned = &build.request.facts.owned_by_joined_user;
    match (&namespaces.user.membership, &namespaces.network.membership) {
        (_, Membership::New) => true,
        (Membership::Host, _) => !build.request.facts.nested_user,
        (_, Membership::Join(_)) => owned.contains(&(libc::CLONE_NEWNET as u32)),
        (_, Membership::Host) => false,
    }
}

/// What the host lends for `mount`, if it does.
pub(super) fn tree(build: &mut Build<'_>, mount: &Mount) -> Result<Option<Tree>> {
    let MountKind::Filesystem { fstype, copy_up, .. } = &mount.kind else { return Ok(None) };
    if !is(build, mount) {
        return Ok(None);
    }
    if *copy_up || mount.idmap.is_some() {
        return new_tree(build, mount, fstype, *copy_up).map(Some);
    }
    let mut tree = bind(build, mount);
    tree.all.set |= attr::RDONLY | tree.top.set;
    tree.top = attributes(Attributes::default());
    let path = PathBuf::from("/sys");
    Ok(Some(Tree { source: Source::Made(path.clone()), path, recursive: true, ..tree }))
}

fn new_tree(build: &mut Build<'_>, mount: &Mount, fstype: &str, copy_up: bool) -> Result<Tree> {
    let mut options = filesystems::options(build, mount);
    if mount.idmap.is_none() {
        owners(build, mount, &mut options)?;
    }
    let options = match long_options::fit(fstype, options, mount.index)? {
        long_options::Fitted::Values(options) => options,
        long_options::Fitted::Text { .. } => return Err(too_long(mount)),
    };
    let template = template(build, mount, fstype, &options, copy_up);
    let fs = filesystems::instance(build, fstype, &options);
    let idmap = mount_ids::of(build, mount);
    let mut top = propagation(mount);
    top.set = now(build, mount);
    let source = Source::New(Box::new(NewFilesystem { fs, template }));
    let tree = Tree { source, path: fstype.into(), idmap, top, ..bind(build, mount) };
    Ok(Tree { all: attributes(Attributes::default()), ..tree })
}

fn too_long(mount: &Mount) -> Error {
    let pointer = format!("/mounts/{}/options", mount.index);
    let message =
        format!("{pointer}: an idmapped file system takes values of at most 255 bytes; shorten them");
    Error::new(ErrorKind::Unsupported { pointer }, message)
}

/// The image's folder at the destination. An earlier mount may cover it: then it is a folder of that mount's source,
/// or of an empty file system, in which there is nothing.
fn template(
    build: &mut Build<'_>,
    mount: &Mount,
    fstype: &str,
    options: &[Datum],
    contents: bool,
) -> Option<Template> {
    let destination = mount.lexical_destination();
    let earlier = build.request.config.mounts.iter().take(mount.index).rev();
    let cover = earlier.map(|cover| (cover, cover.lexical_destination())).find(|(cover, place)| {
        destination.starts_with(place) && !matches!(cover.kind, MountKind::Remount { .. })
    });
    let (from, path) = match &cover {
        None => (None, mount.destination.clone()),
        Some((Mount { kind: MountKind::Bind { .. }, index, .. }, place)) => {
            let rest = destination.get(place.len()..).unwrap_or_default();
            (build.lent_for(*index), format!("/{}", rest.join("/")))
        }
        Some((cover, _)) => {
            let message = format!("there is nothing to copy: {} covers the image's folder", pointer(cover));
            if contents {
                build.warn(pointer(mount), message);
            }
            return None;
        }
    };
    let has = |name: &str| options.iter().any(|(key, _)| key == name);
    let mode = filesystems::takes_target_mode(fstype, options);
    let owner = contents && !has("uid") && !has("gid");
    Some(Template { tree: from, path, mode, owner, contents })
}

/// The kernel takes `uid` and `gid` as ids of who makes the file system, which is the host here.
fn owners(build: &Build<'_>, mount: &Mount, options: &mut [Datum]) -> Result<()> {
    let config = build.request.config;
    for (key, value) in options {
        let maps = match key.as_str() {
            "uid" => &config.uid_maps,
            "gid" => &config.gid_maps,
            _ => continue,
        };
        let id = value.as_deref().and_then(|value| value.parse().ok());
        let outside = match config.namespaces.user.membership {
            Membership::Host => continue,
            Membership::New => id.and_then(|id| idmap::to_host(maps, id)),
            Membership::Join(_) => None,
        };
        let Some(outside) = outside else {
            let pointer = format!("/mounts/{}/options", mount.index);
            let message = format!(
                "{pointer}: {key} of a tmpfs with tmpcopyup is not an id of the user namespace; remove it"
            );
            return Err(Error::new(ErrorKind::Unsupported { pointer }, message));
        };
        *value = Some(outside.to_string());
    }
    Ok(())
}
