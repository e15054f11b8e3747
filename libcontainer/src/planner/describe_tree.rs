//! Lent trees as text.

use super::Pool;
use super::describe::attributes;
use super::entry::{IdNamespace, NewFilesystem, Source, Tree};

/// A lent tree as a sentence.
pub(super) fn tree(pool: &Pool, tree: &Tree) -> String {
    let slot = format!("#{}", tree.slot.0);
    let mut text = match &tree.source {
        Source::New(new) => new_filesystem(pool, &slot, new),
        _ if tree.recursive => format!("lend tree {slot} {}", tree.path.display()),
        _ => format!("lend mount {slot} {}", tree.path.display()),
    };
    if let Some(idmap) = tree.idmap {
        let all = if idmap.recursive { " and all below" } else { "" };
        let ids = match idmap.namespace {
            IdNamespace::Made(number) => format!("id namespace {number}"),
            IdNamespace::Joined => "the joined user namespace".into(),
        };
        text.push_str(&format!(", ids of it{all} by {ids}"));
    }
    for (attr, all) in [(&tree.all, ", all below: "), (&tree.top, ", itself: ")] {
        if !attr.is_empty() {
            text.push_str(all);
            text.push_str(&attributes(attr));
        }
    }
    text
}

fn new_filesystem(pool: &Pool, slot: &str, new: &NewFilesystem) -> String {
    let options = pool.show_config(new.fs.config);
    let options = if options.is_empty() { options } else { format!(" ({options})") };
    let from = new.template.as_ref().map_or(String::new(), |template| {
        let what = if template.contents { "with a copy of" } else { "with the mode of" };
        let holder = template.tree.map_or(String::new(), |slot| format!(" of #{}", slot.0));
        format!(" {what} {}{holder}", template.path)
    });
    format!("lend new {} {slot}{options}{from}", pool.show(new.fs.fstype))
}
