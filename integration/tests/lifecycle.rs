use integration::harness::*;
use integration::on_hosts;

on_hosts! {
    fn a(host: Host) {
        let sandbox = Sandbox::on(host);
        sandbox.configure(|config| { config.probe(&["term", "7"]); });
        let mut container = sandbox.create();
        assert_eq!(container.status(), "created");
        container.start();
        assert_eq!(container.line(), "ready");
        assert_eq!(container.status(), "running");
        container.kill("TERM");
        assert_eq!(container.wait(), 7);
        assert_eq!(container.status(), "stopped");
        container.delete();
        sandbox.command(&["state", "ID"]).fails_saying("container does not exist");
    }
}
