//! Each rule of verification, switched off once: without it at least the bad vectors named here
//! are accepted, so none of them can vanish unnoticed. With every rule in force all are refused.
//!
//! The switch needs the feature `break-rules`, which nothing that is shipped enables:
//! `cargo test --release -p muster-proto --features break-rules --test chain`.

mod common;

use common::Roots;

const BAD: [&str; 4] = [
    "bad-signers.json",
    "bad-form.json",
    "bad-chain.json",
    "bad-wire.json",
];

#[test]
fn with_every_rule_in_force_every_bad_vector_is_refused() {
    let roots = Roots::of(&common::read("estate.json"));
    for file in BAD {
        for vector in common::vectors(&common::read(file)) {
            let bytes = common::hex(&vector["bytes"]);
            let refusal = common::judge(&roots, vector, &bytes).expect_err(common::name_of(vector));
            assert_eq!(vector["outcome"], refusal.reason.code());
        }
    }
}

#[cfg(feature = "break-rules")]
mod broken {
    use std::collections::BTreeSet;

    use muster_proto::rules::{Rule, without};

    use super::common::{self, Roots};

    /// What must slip through when a rule is gone.
    /// Rules of tickets and counting have a test of their own.
    const SLIPS_THROUGH: &[(Rule, &[&str])] = &[
        (
            Rule::Signature,
            &[
                "signature-bound-to-another-version",
                "signature-bound-to-nothing",
                "signature-of-another-key",
                "signature-with-s-plus-the-order",
                "signature-zero",
                "header-alg-of-p256",
                "policy-that-names-the-other-root-key",
            ],
        ),
        (
            Rule::SignerTable,
            &[
                "cell-issuing-signs-answer",
                "cell-issuing-signs-opening",
                "cell-kms-host-signs-confirmation",
                "cell-kms-host-signs-object",
                "cell-root-signs-answer",
                "cell-root-signs-confirmation",
                "cell-root-signs-object",
                "cell-root-signs-opening",
                "cell-vm-host-signs-answer",
                "cell-vm-host-signs-confirmation",
                "cell-vm-host-signs-object",
                "cell-vm-host-signs-opening",
                "lease-of-a-host-that-the-root-certified",
                "policy-of-an-issuing-key-that-an-issuing-key-certified",
            ],
        ),
        (
            Rule::Publisher,
            &[
                "certificate-that-names-another-publisher",
                "lease-that-names-another-publisher",
            ],
        ),
        (
            Rule::Parent,
            &[
                "chain-of-the-same-key-certified-for-more",
                "chain-with-the-issuing-certificate-renewed",
                "lease-moved-under-the-wider-certificate",
                "lease-that-names-the-root-as-parent",
                "lease-wrong-parent",
                "policy-of-an-unknown-root-key",
            ],
        ),
        (
            Rule::Products,
            &[
                "host-certificate-for-all-products",
                "host-certificate-stretched-in-products",
                "lease-for-a-product-the-host-has-not",
                "lease-under-a-certificate-stretched-in-products",
                "lease-under-an-issuing-key-without-products",
                "policy-for-a-product-the-issuing-key-has-not",
            ],
        ),
        (
            Rule::Sites,
            &[
                "host-certificate-stretched-in-sites",
                "lease-under-a-certificate-stretched-in-sites",
                "lease-under-an-issuing-key-without-sites",
                "policy-for-a-site-the-issuing-key-has-not",
            ],
        ),
        (
            Rule::Times,
            &[
                "host-certificate-that-begins-before-the-issuing-one",
                "host-certificate-that-outlives-the-issuing-one",
                "lease-under-a-certificate-stretched-in-time",
            ],
        ),
        (
            Rule::Depth,
            &[
                "host-certificate-stretched-in-depth",
                "lease-under-a-host-certificate-with-depth",
                "lease-under-an-issuing-certificate-of-depth-0",
            ],
        ),
        (
            Rule::Budget,
            &[
                "host-certificate-stretched-in-budget",
                "lease-that-counts-more-than-the-budget",
                "lease-under-a-certificate-stretched-in-budget",
                "lease-under-an-issuing-key-without-budget",
            ],
        ),
        (
            Rule::Flags,
            &[
                "lease-under-a-certificate-stretched-in-flags",
                "lease-under-an-issuing-key-that-may-certify-no-kms-host",
                "lease-under-an-issuing-key-without-flags",
                "policy-of-an-issuing-key-that-may-sign-none",
                "revocations-of-an-issuing-key-that-may-sign-none",
            ],
        ),
        (
            Rule::ValidWhenIssued,
            &[
                "answer-issued-before-its-host-was-certified",
                "host-certificate-issued-after-the-issuing-one-ended",
                "host-certificate-issued-before-the-issuing-one-began",
                "lease-issued-after-its-host-certificate-ended",
                "lease-issued-before-its-host-was-certified",
                "policy-issued-before-the-issuing-certificate-began",
            ],
        ),
        (
            Rule::Revocation,
            &[
                "bundle-that-revokes-its-own-issuing-key",
                "hello-of-a-revoked-host",
                "lease-of-a-revoked-host",
                "lease-under-a-revoked-issuing-key",
                "policy-of-a-revoked-issuing-key",
                "policy-of-a-revoked-root-key",
            ],
        ),
        (
            Rule::LeaseKind,
            &[
                "kms-lease-of-a-vm-host",
                "vm-lease-of-a-kms-host",
                "vm-lease-of-seven-days-and-a-second",
            ],
        ),
        (
            Rule::PolicyBounds,
            &[
                "policy-below-the-least-threshold",
                "policy-beyond-the-longest-validity",
                "policy-of-an-issuing-key-with-tighter-bounds",
                "policy-of-an-issuing-key-without-bounds",
                "policy-with-a-grace-beyond-the-longest-validity",
            ],
        ),
        (
            Rule::RevocationBounds,
            &[
                "revocations-of-a-root-key-by-an-issuing-key",
                "revocations-that-move-one-too-far",
                "revocations-that-spend-all-numbers",
            ],
        ),
    ];

    fn accepted_without(rule: Rule, file: &str) -> Vec<String> {
        let (roots, document) = (Roots::of(&common::read("estate.json")), common::read(file));
        let accepted = |vector: &&serde_json::Value| {
            let bytes = common::hex(&vector["bytes"]);
            without(rule, || common::judge(&roots, vector, &bytes)).is_ok()
        };
        let vectors = common::vectors(&document).iter().filter(accepted);
        vectors
            .map(|vector| common::name_of(vector).to_owned())
            .collect()
    }

    #[test]
    fn every_rule_of_verification_is_named() {
        assert!(SLIPS_THROUGH.iter().map(|(rule, _)| *rule).eq(Rule::ALL));
    }

    #[test]
    fn without_a_rule_its_bad_vectors_are_accepted() {
        for (rule, named) in SLIPS_THROUGH.iter().copied() {
            let accepted: BTreeSet<String> = super::BAD
                .iter()
                .flat_map(|file| accepted_without(rule, file))
                .collect();
            assert!(!named.is_empty(), "{rule:?} has no vector");
            for name in named {
                assert!(
                    accepted.contains(*name),
                    "{rule:?} is gone and {name} is refused"
                );
            }
        }
    }

    #[test]
    fn without_any_rule_good_vectors_stay_good() {
        for (rule, _) in SLIPS_THROUGH.iter().copied() {
            let good = common::read("good.json");
            assert_eq!(
                accepted_without(rule, "good.json").len(),
                common::vectors(&good).len(),
                "{rule:?}"
            );
        }
    }
}
