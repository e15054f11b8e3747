//! The pools that steps point into.

use libcontainer_init::{List, Text, Words};

/// Text, numbers and lists of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pool {
    pub(crate) text: Vec<u8>,
    pub(crate) words: Vec<u32>,
    /// What the launch turns into pointers; behind each list stands a null pointer.
    pub(crate) lists: Vec<Option<Text>>,
}

impl Pool {
    /// Adds a string. It may hold NULs, if it is a list.
    pub(crate) fn text(&mut self, text: impl AsRef<[u8]>) -> Text {
        let text = text.as_ref();
        let start = self.text.len() as u32;
        self.text.extend_from_slice(text);
        self.text.push(0);
        Text { start, len: text.len() as u32 }
    }

    pub(crate) fn words(&mut self, words: &[u32]) -> Words {
        let start = self.words.len() as u32;
        self.words.extend_from_slice(words);
        Words { start, len: words.len() as u32 }
    }

    /// A list of strings as system calls want it: pointers, the last of them null.
    pub(crate) fn pointers(&mut self, items: &[String]) -> List {
        let start = self.lists.len() as u32;
        for item in items {
            let text = self.text(item);
            self.lists.push(Some(text));
        }
        self.lists.push(None);
        List { start, len: items.len() as u32 + 1 }
    }

    /// A list of strings.
    pub(crate) fn list<S: AsRef<str>>(&mut self, items: impl IntoIterator<Item = S>) -> Text {
        let mut bytes = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                bytes.push(0);
            }
            bytes.extend_from_slice(item.as_ref().as_bytes());
        }
        self.text(bytes)
    }

    /// Options for `fsconfig`: each a key, then nothing for a flag or `=` and the value.
    pub(crate) fn config<'a>(
        &mut self,
        options: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
    ) -> Text {
        let mut parts = Vec::new();
        for (key, value) in options {
            parts.push(key.to_owned());
            parts.push(value.map_or(String::new(), |value| format!("={value}")));
        }
        self.list(parts)
    }

    /// The text behind `text`, for people.
    #[must_use]
    pub fn show(&self, text: Text) -> String {
        String::from_utf8_lossy(self.bytes(text)).into_owned()
    }

    /// The options behind `text`, as `mount -o` writes them.
    pub(crate) fn show_config(&self, text: Text) -> String {
        let bytes = self.bytes(text);
        let mut parts = bytes.split(|&byte| byte == 0);
        let mut shown = Vec::new();
        while let (Some(key), Some(value)) = (parts.next(), parts.next()) {
            if key != b"source" {
                shown.push(String::from_utf8_lossy(&[key, value].concat()).into_owned());
            }
        }
        shown.join(",")
    }

    /// The items of a list.
    pub(crate) fn show_list(&self, text: Text) -> Vec<String> {
        let items = self.bytes(text).split(|&byte| byte == 0);
        items.map(|item| String::from_utf8_lossy(item).into_owned()).collect()
    }

    pub(crate) fn bytes(&self, text: Text) -> &[u8] {
        let start = text.start as usize;
        self.text.get(start..start + text.len as usize).unwrap_or_default()
    }

    /// The bytes behind `text` and the NUL that follows them.
    pub(crate) fn with_nul(&self, text: Text) -> &[u8] {
        let start = text.start as usize;
        self.text.get(start..=start + text.len as usize).unwrap_or_default()
    }

    pub(crate) fn numbers(&self, words: Words) -> &[u32] {
        let start = words.start as usize;
        self.words.get(start..start + words.len as usize).unwrap_or_default()
    }
}
