# Runs inside the demo container. It ends with a code of its own, to show that the code comes through.
show() {
    echo "\$ $*"
    "$@"
}
echo 'hello from inside'
show id
show hostname
show ls /
show ps
show ls /sys/class/net
show grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/1/status
show touch /file
exit 7
