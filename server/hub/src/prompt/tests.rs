//! Every code, told and inferred, in every situation.

use chrono::TimeZone;

use super::*;
use crate::{certificate::Whose, failure::FailureCode};

/// Details with words of their own, beside one that has none.
const DETAILS: [&str; 22] = [
    "resting",
    "needed_by_run",
    "provider_trouble",
    "ended_along",
    "installation_not_provable",
    "installation_not_theirs",
    "raw_code",
    "admin",
    "unsupported_method",
    "refresh_elsewhere",
    "outcome_unknown",
    "lost_rotation",
    "ended_without_refresh_token",
    "wrong_environment",
    "provider_app_missing",
    "provider_not_in_catalog",
    "address_not_allowed",
    "https_required",
    "environment",
    "other_account",
    "other_browser",
    "unmapped:shopify:E1234",
];

fn subject(during: During) -> Subject<'static> {
    Subject {
        provider_name: "Shopify",
        account: Some("shop@a.de"),
        at: Utc.with_ymd_and_hms(2026, 5, 12, 9, 10, 0).unwrap(),
        during,
        missing: &[],
        is_operators_app: false,
    }
}

fn every_prompt() -> Vec<(Failure, During, Prompt)> {
    let later = Utc.with_ymd_and_hms(2026, 5, 12, 14, 5, 0).unwrap();
    let mut prompts = Vec::new();
    for code in FailureCode::ALL {
        for detail in DETAILS {
            for failure in [Failure::told(code, detail), Failure::inferred(code, detail)] {
                for retry_at in [None, Some(later)] {
                    for during in [During::Connecting, During::Keeping] {
                        let failure = failure.clone().with_retry_at(retry_at);
                        let prompt = Prompt::of(&failure, &subject(during));
                        prompts.push((failure, during, prompt));
                    }
                }
            }
        }
    }
    prompts
}

fn texts(prompt: &Prompt) -> Vec<&str> {
    let labels = [&prompt.action, &prompt.secondary];
    [&prompt.what, &prompt.why]
        .into_iter()
        .chain(&prompt.effect)
        .map(String::as_str)
        .chain(
            labels
                .into_iter()
                .flatten()
                .map(|action| action.label.as_str()),
        )
        .collect()
}

#[test]
fn every_prompt_follows_the_rules_of_style() {
    const NEVER: [&str; 14] = [
        "please",
        "sorry",
        "oops",
        "invalid",
        "failed to",
        "error",
        "!",
        "authorize",
        "submit",
        "learn more",
        "contact support",
        "..",
        "  ",
        "your data is safe",
    ];
    for (failure, _, prompt) in every_prompt() {
        for text in texts(&prompt) {
            let lower = text.to_lowercase();
            for word in NEVER {
                assert!(!lower.contains(word), "{word:?} in {text:?} ({failure:?})");
            }
            assert!(!text.contains('_'), "a code in {text:?}");
            assert!(!text.contains("E1234"), "{text:?}");
            assert!(text.starts_with(char::is_uppercase), "{text:?}");
            assert!(text.chars().count() <= 120, "too long: {text:?}");
        }
        for code in FailureCode::ALL {
            assert!(
                !texts(&prompt)
                    .iter()
                    .any(|text| text.contains(code.as_str()))
            );
        }
        for line in [&prompt.what, &prompt.why]
            .into_iter()
            .chain(&prompt.effect)
        {
            assert!(line.ends_with('.'), "{line:?}");
        }
        for action in prompt.action.iter().chain(&prompt.secondary) {
            assert!(
                !action.label.ends_with('.') && action.label.len() <= 48,
                "{action:?}"
            );
            assert_ne!(action.label, "OK");
        }
    }
}

#[test]
fn guesses_are_marked_and_only_guesses() {
    for (failure, _, prompt) in every_prompt() {
        let lines = format!("{} {:?}", prompt.what, prompt.effect).to_lowercase();
        assert!(!lines.contains("likely"), "{failure:?}");
        if failure.certainty == Certainty::Told {
            assert!(
                !prompt.why.contains("likely"),
                "{failure:?}: {}",
                prompt.why
            );
        }
    }
    for code in FailureCode::ALL {
        let why = |failure: Failure| Prompt::of(&failure, &subject(During::Keeping)).why;
        let own_business = [FailureCode::NotAllowed, FailureCode::HubInternal];
        assert_eq!(
            why(Failure::inferred(code, "raw_code")).starts_with("Most likely"),
            !own_business.contains(&code),
            "{code:?}"
        );
    }
}

#[test]
fn whoever_must_act_has_a_button_or_is_named() {
    for (failure, during, prompt) in every_prompt() {
        let has_way_out = prompt.action.is_some() || prompt.effect.is_some();
        assert!(has_way_out, "{failure:?} {during:?}");
        // What heals by itself asks for nothing but patience.
        if during == During::Keeping && prompt.action.is_none() && failure.code.is_transient() {
            let effect = prompt.effect.unwrap();
            assert!(effect.starts_with("No action needed."), "{effect}");
        }
    }
}

#[test]
fn what_may_heal_has_no_button_until_it_has_lasted() {
    let silent = Failure::inferred(FailureCode::NetworkOrTimeout, "timeout");
    let lasting = Prompt::of(&silent, &subject(During::Keeping));
    assert_eq!(lasting.action.clone().unwrap().label, "Check now");
    // Who is told when it works is said where somebody asks to be.
    let effect = "We keep trying until it works.";
    assert_eq!(lasting.effect.as_deref(), Some(effect));
    let early = lasting.while_retrying();
    assert_eq!(early.action, None);
    assert_eq!(early.effect, Some(format!("No action needed. {effect}")));
    let ours = Failure::inferred(FailureCode::HubInternal, "x");
    let lasting = Prompt::of(&ours, &subject(During::Keeping));
    assert_eq!(lasting.action.unwrap().label, "Send report");
}

#[test]
fn a_known_end_says_why_and_what_to_do() {
    for kind in crate::keep::ends::EndKind::ALL {
        let at = Utc.with_ymd_and_hms(2026, 5, 19, 9, 10, 0).unwrap();
        let prompt = Prompt::of_end(KnownEnd { at, kind }, &subject(During::Keeping));
        assert!(prompt.what.ends_with("ends on 19 May at 09:10 UTC."));
        let label = prompt.action.clone().unwrap().label;
        match kind.certificate() {
            None => assert_eq!(label, "Reconnect Shopify"),
            Some(Whose::Server) => assert_eq!(label, "Check now"),
            Some(Whose::Authority) => assert_eq!(label, "Enter the new certificate"),
            Some(Whose::App) => assert_eq!(label, "Replace the certificate"),
        }
        for text in texts(&prompt) {
            assert!(text.chars().count() <= 120, "too long: {text:?}");
        }
    }
}

#[test]
fn the_words_are_those_a_person_reads() {
    let gone = Failure::inferred(FailureCode::GrantRevokedOrExpired, "invalid_grant");
    let prompt = Prompt::of(&gone, &subject(During::Keeping));
    assert_eq!(
        prompt.what,
        "Shopify stopped accepting our access on 12 May at 09:10 UTC."
    );
    assert_eq!(
        prompt.why,
        "Most likely the app was removed in Shopify, or the password was changed there."
    );
    assert_eq!(prompt.action.unwrap().label, "Reconnect Shopify");

    let other =
        Failure::told(FailureCode::AccountOrTargetMismatch, "other_account").with_text("info@b.de");
    let prompt = Prompt::of(&other, &subject(During::Connecting));
    assert_eq!(
        prompt.why,
        "You signed in as info@b.de, but this connection belongs to shop@a.de."
    );
    let named = Subject {
        account: Some("Maple & Co."),
        ..subject(During::Connecting)
    };
    assert_eq!(
        Prompt::of(&other, &named).why,
        "You signed in as info@b.de, but this connection belongs to Maple & Co."
    );

    let missing = ["See orders".to_owned(), "Post comments".to_owned()];
    let subject = Subject {
        missing: &missing,
        ..subject(During::Keeping)
    };
    let left_out = Failure::told(FailureCode::PermissionMissing, "insufficient_scope");
    let prompt = Prompt::of(&left_out, &subject);
    assert_eq!(
        prompt.what,
        "Some things do not work: see orders, post comments."
    );
}

#[test]
fn runs_that_wait_replace_only_that_automations_cannot_use_it() {
    let gone = Failure::told(FailureCode::GrantRevokedOrExpired, "invalid_grant");
    let of = |failure: &Failure| Prompt::of(failure, &subject(During::Keeping));
    let effect = |prompt: Prompt| prompt.effect.unwrap();
    assert_eq!(of(&gone).with_paused(0), of(&gone));
    let waiting = "1 run is paused. Nothing was lost.";
    assert_eq!(effect(of(&gone).with_paused(1)), waiting);
    for code in FailureCode::ALL {
        let failure = Failure::told(code, "raw_code");
        let said = of(&failure).effect;
        let generic = said
            .as_ref()
            .is_none_or(|said| said.contains("cannot use it"));
        let several = effect(of(&failure).with_paused(3));
        assert!(
            several.ends_with("3 runs are paused. Nothing was lost."),
            "{several}"
        );
        assert!(generic || several.starts_with(&said.unwrap()), "{several}");
    }
    let down = Failure::told(FailureCode::ProviderLimitedOrDown, "http_503");
    let calm = effect(of(&down).with_paused(1).while_retrying());
    assert_eq!(
        calm,
        format!("No action needed. We keep trying until it works. {waiting}")
    );
}

#[test]
fn a_check_that_finds_another_account_accuses_nobody() {
    let other =
        Failure::told(FailureCode::AccountOrTargetMismatch, "other_account").with_text("info@b.de");
    let found = Prompt::of(&other, &subject(During::Keeping));
    assert_eq!(found.what, "Shopify answers for a different account.");
    assert_eq!(
        found.why,
        "A check found info@b.de, but this connection belongs to shop@a.de."
    );
    let effect = "Automations cannot use it until it works again. Nothing was deleted.";
    assert_eq!(found.effect.as_deref(), Some(effect));
    assert_eq!(found.action.unwrap().label, "Use shop@a.de");
    assert_eq!(found.secondary, None);
}

#[test]
fn what_only_the_operator_can_correct_has_no_form_for_anybody_else() {
    let wrong = Failure::told(FailureCode::AppConfigInvalid, "invalid_client");
    let own = Prompt::of(&wrong, &subject(During::Keeping));
    assert_eq!(own.action.unwrap().kind, ActionKind::SetUp);
    let theirs = Subject {
        is_operators_app: true,
        ..subject(During::Keeping)
    };
    let prompt = Prompt::of(&wrong, &theirs);
    assert_eq!((prompt.action, prompt.who), (None, Who::Operator));
    let effect = "Only whoever runs this hub can correct it.";
    assert_eq!(prompt.effect.as_deref(), Some(effect));
    let at = Utc.with_ymd_and_hms(2026, 5, 19, 9, 10, 0).unwrap();
    let kind = crate::keep::ends::EndKind::AppCertificate;
    let ends = Prompt::of_end(KnownEnd { at, kind }, &theirs);
    assert_eq!((ends.action, ends.who), (None, Who::Operator));
}

#[test]
fn an_admin_who_must_allow_it_is_sent_a_request() {
    let kept_out = Failure::told(FailureCode::AdminApprovalRequired, "AADSTS90094");
    let prompt = Prompt::of(&kept_out, &subject(During::Keeping));
    assert_eq!(
        prompt.effect.as_deref(),
        Some("Whoever administers shop@a.de at Shopify can allow it. We look again every day.")
    );
    let action = prompt.action.unwrap();
    assert_eq!(action.kind, ActionKind::Request);
    assert_eq!(action.label, "Send request to admin");
}

#[test]
fn a_connection_that_was_disconnected_here_accuses_no_provider() {
    let ended = Failure::told(FailureCode::GrantRevokedOrExpired, "disconnected");
    let prompt = Prompt::of(&ended, &subject(During::Keeping));
    assert_eq!(
        prompt.what,
        "Shop@a.de at Shopify was disconnected on 12 May at 09:10 UTC."
    );
    assert_eq!(prompt.why, "Somebody of your organisation chose that here.");
    assert_eq!(prompt.action.unwrap().label, "Connect Shopify again");
}

#[test]
fn a_rule_gives_its_reason_whichever_code_it_chose() {
    let effect = "It goes on by itself when the rule allows it. Nothing was lost.";
    for code in FailureCode::ALL {
        let silent = Failure::told(code, "policy");
        let prompt = Prompt::of(&silent, &subject(During::Keeping));
        assert_eq!(prompt.what, "A rule of your organisation stops this.");
        assert_eq!(prompt.effect.as_deref(), Some(effect));
        assert_eq!(prompt.action, None);
        let said = Prompt::of(
            &silent.with_text("The books are closed"),
            &subject(During::Keeping),
        );
        assert_eq!(said.why, "The books are closed.");
    }
}

#[test]
fn what_only_an_owner_may_do_names_an_owner() {
    let of = |role| {
        Prompt::of(
            &Failure::told(FailureCode::NotAllowed, role),
            &subject(During::Keeping),
        )
    };
    let owner = of("owner");
    assert_eq!(owner.why, "It needs the role of an owner.");
    let effect = "An owner of your organisation can do it, or give you the role.";
    assert_eq!(owner.effect.as_deref(), Some(effect));
    assert_eq!(of("admin").why, "It needs the role of an admin or more.");
}

#[test]
fn an_account_refused_while_it_is_connected_is_not_asked_again() {
    let refused = Failure::told(FailureCode::RefusedByProvider, "frozen");
    let effect = |during| Prompt::of(&refused, &subject(during)).effect.unwrap();
    assert_eq!(effect(During::Connecting), "Nothing was changed.");
    assert_eq!(effect(During::Keeping), "We ask again every day.");
}
