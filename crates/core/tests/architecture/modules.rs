//! Which module uses which, by resolved paths, and whether they go in circles.
//!
//! The sources are parsed; a path leads to the module that defines what it names, through
//! imports and re-exports. At each level of the tree sibling modules must have an order: a
//! folder's `mod.rs` and its own children may use one another, and nothing else may go in a
//! circle. What is compiled for tests alone is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, Item, UseTree};

/// A module by the names of its ancestors and its own; the crate's root is empty.
pub type Name = Vec<String>;

/// A crate as it is written.
#[derive(Debug, Default)]
pub struct Crate {
    modules: BTreeMap<Name, Module>,
}

#[derive(Debug, Default)]
struct Module {
    /// What it defines itself.
    items: BTreeSet<String>,
    /// What is visible in it under another module's name: the path as it is written.
    imports: BTreeMap<String, Name>,
    /// Modules all of whose names it takes in.
    globs: Vec<Name>,
    /// Every path in it, as it is written.
    paths: BTreeSet<Name>,
}

impl Crate {
    /// Reads a crate from its root file.
    pub fn read(root: &Path) -> Self {
        let mut read = Self::default();
        let text = fs::read_to_string(root).unwrap_or_else(|e| panic!("{}: {e}", root.display()));
        let folder = root.parent().unwrap().to_owned();
        read.enter(Vec::new(), &text, &|name| {
            let path: PathBuf = name.iter().collect();
            let files = [folder.join(&path).with_extension("rs"), folder.join(path).join("mod.rs")];
            files.iter().find_map(|file| fs::read_to_string(file).ok())
        });
        read
    }

    /// A crate of texts, by the names of their modules joined with `::`.
    pub fn of_texts(texts: &[(&str, &str)]) -> Self {
        let text = |name: &Name| {
            let is_it = |(known, _): &&(&str, &str)| *known == name.join("::");
            texts.iter().find(is_it).map(|(_, text)| (*text).to_owned())
        };
        let mut read = Self::default();
        read.enter(Vec::new(), &text(&Vec::new()).unwrap(), &text);
        read
    }

    fn enter(&mut self, name: Name, text: &str, file: &dyn Fn(&Name) -> Option<String>) {
        let parsed = syn::parse_file(text).unwrap_or_else(|e| panic!("{}: {e}", name.join("::")));
        self.enter_items(name, parsed.items, file);
    }

    fn enter_items(
        &mut self,
        name: Name,
        items: Vec<Item>,
        file: &dyn Fn(&Name) -> Option<String>,
    ) {
        let mut module = Module::default();
        for item in items {
            match item {
                Item::Mod(inner) if is_for_tests(&inner.attrs) => {}
                Item::Mod(inner) => {
                    let child: Name = [name.clone(), vec![inner.ident.to_string()]].concat();
                    match inner.content {
                        Some((_, items)) => self.enter_items(child, items, file),
                        None => match file(&child) {
                            Some(text) => self.enter(child, &text, file),
                            None => panic!("no file of {}", child.join("::")),
                        },
                    }
                }
                Item::Use(one) if !is_for_tests(&one.attrs) => {
                    module.import(Vec::new(), &one.tree);
                }
                item => module.define(&item),
            }
        }
        self.modules.insert(name, module);
    }

    /// The module that defines what this path names when `from` writes it.
    fn defines(&self, from: &Name, path: &[String]) -> Option<Name> {
        self.follow(from, path, 0)
    }

    fn follow(&self, from: &Name, path: &[String], depth: usize) -> Option<Name> {
        let (first, rest) = path.split_first().filter(|_| depth < 16)?;
        match first.as_str() {
            "crate" => self.descend(&Vec::new(), rest, depth),
            "self" => self.descend(from, rest, depth),
            "super" => {
                let parent: Name = from[..from.len().checked_sub(1)?].to_vec();
                match rest.first().map(String::as_str) {
                    Some("super") => self.follow(&parent, rest, depth + 1),
                    _ => self.descend(&parent, rest, depth),
                }
            }
            _ => self.descend(from, path, depth),
        }
    }

    /// What `path` names as seen inside the module `at`.
    fn descend(&self, at: &Name, path: &[String], depth: usize) -> Option<Name> {
        let module = self.modules.get(at)?;
        let Some((first, rest)) = path.split_first() else { return Some(at.clone()) };
        let child: Name = [at.clone(), vec![first.clone()]].concat();
        if self.modules.contains_key(&child) {
            return self.descend(&child, rest, depth);
        }
        if module.items.contains(first) {
            return Some(at.clone());
        }
        if let Some(imported) = module.imports.get(first) {
            let whole = [imported.clone(), rest.to_vec()].concat();
            return self.follow(at, &whole, depth + 1);
        }
        let mut globs = module.globs.iter();
        globs.find_map(|glob| {
            let all_of = self.follow(at, glob, depth + 1).filter(|found| found != at)?;
            self.descend(&all_of, path, depth + 1)
        })
    }

    /// How often a module uses another.
    pub fn uses(&self) -> usize {
        self.all_uses().len()
    }

    /// Every use of another module: who, whom, and by which path.
    fn all_uses(&self) -> Vec<(Name, Name, String)> {
        let mut all = Vec::new();
        for (name, module) in &self.modules {
            let imported = module.imports.values().chain(&module.globs);
            for path in imported.chain(&module.paths) {
                let Some(used) = self.defines(name, path) else { continue };
                if used != *name {
                    all.push((name.clone(), used, path.join("::")));
                }
            }
        }
        all
    }

    /// The sibling modules that go in circles: for each folder that has some, who uses whom
    /// in them.
    pub fn circles(&self) -> Vec<String> {
        let mut between: BTreeMap<Name, Graph> = BTreeMap::new();
        for (user, used, path) in self.all_uses() {
            let shared = user.iter().zip(&used).take_while(|(a, b)| a == b).count();
            // One of the two is the other's ancestor.
            if shared == user.len() || shared == used.len() {
                continue;
            }
            let graph = between.entry(user[..shared].to_vec()).or_default();
            let edge = format!("{} -> {} ({path})", user.join("::"), used.join("::"));
            let uses = graph.entry(user[shared].clone()).or_default();
            uses.entry(used[shared].clone()).or_default().insert(edge);
        }
        between.iter().flat_map(|(folder, graph)| circles_in(folder, graph)).collect()
    }
}

/// Who uses whom, with the uses.
type Graph = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

fn circles_in(folder: &Name, graph: &Graph) -> Vec<String> {
    let reaches = |from: &String| -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        let mut open = vec![from.clone()];
        while let Some(one) = open.pop() {
            for next in graph.get(&one).into_iter().flat_map(BTreeMap::keys) {
                if seen.insert(next.clone()) {
                    open.push(next.clone());
                }
            }
        }
        seen
    };
    let ends: BTreeMap<&String, BTreeSet<String>> =
        graph.keys().map(|one| (one, reaches(one))).collect();
    let goes_round = |a: &String, b: &String| {
        ends.get(a).is_some_and(|all| all.contains(b))
            && ends.get(b).is_some_and(|all| all.contains(a))
    };
    let mut found = Vec::new();
    for (user, uses) in graph {
        for (used, edges) in uses.iter().filter(|(used, _)| goes_round(user, used)) {
            let folder = if folder.is_empty() { "the crate".into() } else { folder.join("::") };
            let some: Vec<&str> = edges.iter().take(4).map(String::as_str).collect();
            found.push(format!("in {folder}: {user} <-> {used}: {}", some.join(", ")));
        }
    }
    found
}

impl Module {
    fn import(&mut self, before: Name, tree: &UseTree) {
        let with = |ident: &syn::Ident| [before.clone(), vec![ident.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.import(with(&path.ident), &path.tree),
            UseTree::Name(name) if name.ident == "self" => {
                let last = before.last().cloned().unwrap_or_default();
                self.imports.insert(last, before);
            }
            UseTree::Name(name) => {
                self.imports.insert(name.ident.to_string(), with(&name.ident));
            }
            UseTree::Rename(name) => {
                let path = if name.ident == "self" { before } else { with(&name.ident) };
                // Nothing refers to the name `_`, and there may be several.
                let number = self.imports.len();
                let known =
                    if name.rename == "_" { format!("_{number}") } else { name.rename.to_string() };
                self.imports.insert(known, path);
            }
            UseTree::Glob(_) => self.globs.push(before),
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.import(before.clone(), tree));
            }
        }
    }

    fn define(&mut self, item: &Item) {
        let (attributes, name) = match item {
            Item::Const(one) => (&one.attrs, Some(&one.ident)),
            Item::Enum(one) => (&one.attrs, Some(&one.ident)),
            Item::Fn(one) => (&one.attrs, Some(&one.sig.ident)),
            Item::Impl(one) => (&one.attrs, None),
            Item::Macro(one) => (&one.attrs, one.ident.as_ref()),
            Item::Static(one) => (&one.attrs, Some(&one.ident)),
            Item::Struct(one) => (&one.attrs, Some(&one.ident)),
            Item::Trait(one) => (&one.attrs, Some(&one.ident)),
            Item::Type(one) => (&one.attrs, Some(&one.ident)),
            _ => return,
        };
        if is_for_tests(attributes) {
            return;
        }
        self.items.extend(name.map(ToString::to_string));
        paths(item.to_token_stream(), &mut self.paths);
    }
}

/// Every path of two names or more in these tokens, inside macros too.
fn paths(tokens: TokenStream, found: &mut BTreeSet<Name>) {
    let mut path: Name = Vec::new();
    let mut colons = 0;
    let mut flush = |path: &mut Name| {
        let path = std::mem::take(path);
        if path.len() > 1 {
            found.insert(path);
        }
    };
    let mut groups = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => {
                if colons != 2 {
                    flush(&mut path);
                }
                path.push(ident.to_string());
                colons = 0;
            }
            TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
            other => {
                flush(&mut path);
                colons = 0;
                if let TokenTree::Group(group) = other {
                    groups.push(group.stream());
                }
            }
        }
    }
    flush(&mut path);
    for group in groups {
        paths(group, found);
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let text = attribute.to_token_stream().to_string();
        text == "# [test]" || text == "# [cfg (test)]"
    })
}
