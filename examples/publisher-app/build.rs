//! Says which root and product are compiled in. A product of your own needs no build script: it
//! writes `include_bytes!("contoso.root")` and its id.
//!
//! `MUSTER_ROOT` names the root file (`muster authority root export --out FILE`), `MUSTER_PRODUCT`
//! the product's id. Without them the sample root is used, whose secret key everybody knows.

use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-env-changed=MUSTER_ROOT");
    println!("cargo::rerun-if-env-changed=MUSTER_PRODUCT");
    let given = std::env::var_os("MUSTER_ROOT").map(PathBuf::from);
    let here = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo names the package's folder");
    let sample = PathBuf::from(here).join("sample.root");
    let root = given.unwrap_or(sample);
    let root = root.canonicalize().expect("MUSTER_ROOT names a root file");
    println!("cargo::rerun-if-changed={}", root.display());
    println!("cargo::rustc-env=PUBLISHER_ROOT={}", root.display());
    let product = std::env::var("MUSTER_PRODUCT").unwrap_or_else(|_| "cad".to_owned());
    println!("cargo::rustc-env=PUBLISHER_PRODUCT={product}");
}
