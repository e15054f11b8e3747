#!/bin/sh
# Writes syscalls.rs, the table of system call numbers, from the kernel's user-space headers.
#
# Usage: generate.sh [UAPI] > syscalls.rs
#
# UAPI is a folder with x86/asm, arm64/asm, arm/asm and riscv/asm below it. Debian's linux-libc-dev
# of 6.11 and later is one package for all architectures and has it at /usr/lib/linux/uapi.
set -eu
export LC_ALL=C
uapi=${1:-/usr/lib/linux/uapi}

# Prints "COLUMN NAME NUMBER" for each system call of one architecture. The numbers are plain or
# "(BASE + NUMBER)", the base being zero on the 32-bit ARM EABI and the x32 bit on x32.
numbers() {
    awk -v column="$1" -v base="$3" '
        $1 == "#define" && $2 ~ /^__NR_[a-z_]/ && /[0-9]\)?$/ {
            gsub(/[()]/, "")
            number = $NF + ($3 ~ /^__/ ? base : 0)
            print column, substr($2, 6), number
        }' "$uapi/$2"
}

{
    numbers 1 x86/asm/unistd_64.h 0
    numbers 2 x86/asm/unistd_32.h 0
    numbers 3 x86/asm/unistd_x32.h 1073741824
    numbers 4 arm64/asm/unistd_64.h 0
    numbers 5 arm/asm/unistd-eabi.h 0
    # The calls that only ARM has lie above all others, and one call has two names there.
    awk '$2 ~ /^__ARM_NR_[a-z]/ { sub(/.*\+/, "", $3); print 5, substr($2, 10), 983040 + $3 }
         $2 == "__NR_sync_file_range2" { print 5, "sync_file_range2", 341 }' "$uapi/arm/asm/unistd.h"
    numbers 6 riscv/asm/unistd_64.h 0
} | awk '
    { name[$2]; number[$2, $1] = $3 }
    END {
        for (n in name) {
            row = ""
            for (c = 1; c <= 6; c++)
                row = row (c > 1 ? ", " : "") (((n, c) in number) ? number[n, c] : "NONE")
            print n "\t" row
        }
    }' | sort | awk -F '\t' '
    { line[NR] = "    (\"" $1 "\", [" $2 "])," }
    END {
        print "// Made by generate.sh from the kernel'"'"'s headers; do not edit."
        print ""
        print "use super::NONE;"
        print ""
        print "/// Name → number on x86_64, x86, x32, aarch64, arm, riscv64; sorted by name."
        print "#[rustfmt::skip]"
        print "#[allow(clippy::large_const_arrays, reason = \"only the compiler reads it\")]"
        print "pub(super) const SYSCALLS: [(&str, [u32; 6]); " NR "] = ["
        for (i = 1; i <= NR; i++) print line[i]
        print "];"
    }'
