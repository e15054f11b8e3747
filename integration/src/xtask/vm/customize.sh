# Makes of a bare Debian the machine that the tests run in. mmdebstrap runs this with the root folder as $1.
set -eu
root=$1

echo vm > "$root/etc/hostname"
echo 0123456789abcdef0123456789abcdef > "$root/etc/machine-id"
# Nothing is to be brought up to date at the first boot.
touch "$root/etc/.updated" "$root/var/.updated"

# A user who may map the ids of the ranges that useradd gives.
chroot "$root" useradd --create-home --shell /bin/sh tester

# Compiling the distribution's profiles takes longer than the rest of the boot. These are for the tests: one that can be
# told from being unconfined, one of the name that Docker's configurations have, and one that the validation suite asks
# for.
find "$root/etc/apparmor.d" -maxdepth 1 -type f -delete
for profile in runc-shim-test docker-default acme_secure_profile; do
    cat > "$root/etc/apparmor.d/$profile" <<END
profile $profile flags=(attach_disconnected,mediate_deleted) {
  file,
  capability,
  network,
  mount,
  umount,
  signal,
  ptrace,
  unix,
  deny /tmp/secret rw,
}
END
done

# What Debian's policy lacks for the tests: containers may use the pipes of who starts them, as they may those of the
# engines that the policy knows, and the validation suite has files of a type that other distributions know.
cat > "$root/tmp/runc-shim-test.cil" <<'END'
(typeattributeset cil_gen_require container_domain)
(typeattributeset cil_gen_require unconfined_t)
(typeattributeset cil_gen_require file_type)
(allow container_domain unconfined_t (fifo_file (ioctl read write getattr append)))
(type svirt_sandbox_file_t)
(roletype object_r svirt_sandbox_file_t)
(typeattributeset file_type (svirt_sandbox_file_t))
END
chroot "$root" semodule --noreload --install /tmp/runc-shim-test.cil
rm "$root/tmp/runc-shim-test.cil"

for unit in getty@.service serial-getty@.service systemd-pstore.service systemd-journal-flush.service \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer e2scrub_all.timer \
    e2scrub_reap.service systemd-tmpfiles-clean.timer \
    containerd.service docker.service docker.socket podman.service podman.socket podman-restart.service; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done

# Runs what the second disk says, and tells the host through the port. The port cannot be opened twice, so tests get
# a pipe.
cat > "$root/usr/local/sbin/vm-tests" <<'END'
#!/bin/sh
for port in /dev/vport*; do
    { mount -o ro,context=system_u:object_r:bin_t:s0 /dev/vda /mnt && sh /mnt/run; } 2>&1 | cat > "$port"
done
END
chmod 755 "$root/usr/local/sbin/vm-tests"

# Delegation makes systemd keep every controller enabled down to here.
cat > "$root/etc/systemd/system/vm-tests.service" <<'END'
[Unit]
Description=Tests
Requires=dev-vda.device
Wants=dbus.service
After=dev-vda.device dbus.service systemd-logind.service systemd-user-sessions.service

[Service]
Type=exec
SELinuxContext=unconfined_u:unconfined_r:unconfined_t:s0
ExecStart=/usr/local/sbin/vm-tests
Delegate=yes
TasksMax=infinity
OOMPolicy=continue
END
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -s ../vm-tests.service "$root/etc/systemd/system/multi-user.target.wants/vm-tests.service"
