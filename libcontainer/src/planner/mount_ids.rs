//! Idmapped mounts: whose maps a mount gets.

use super::build::Build;
use super::entry::{IdNamespace, Idmap};
use super::mounts::pointer;
use crate::spec::{IdMaps, Membership, Mount};

/// Plans the user namespaces of the mounts that come later. To make one takes a process, which is better not made in the
/// middle of a turn.
pub(super) fn prepare(build: &mut Build<'_>) {
    for mount in &build.request.config.mounts {
        let _planned: Option<Idmap> = of(build, mount);
    }
}

/// The mapping that `mount` asks for. Its user namespace is planned if no earlier mount needed the same.
pub(super) fn of(build: &mut Build<'_>, mount: &Mount) -> Option<Idmap> {
    let asked = mount.idmap.as_ref()?;
    let config = build.request.config;
    let joins = matches!(config.namespaces.user.membership, Membership::Join(_));
    let namespace = match &asked.maps {
        None if joins => IdNamespace::Joined,
        None => {
            let maps = IdMaps { uids: config.uid_maps.clone(), gids: config.gid_maps.clone() };
            IdNamespace::Made(build.id_namespace(&maps, pointer(mount)))
        }
        Some(maps) => IdNamespace::Made(build.id_namespace(maps, pointer(mount))),
    };
    Some(Idmap { namespace, recursive: asked.recursive })
}
