//! The five questions, answered from the figures.

use std::collections::BTreeMap;

use hub::{
    Hub, Result,
    people::Member,
    record::attempt::{Figures, PERIODS, Share, Spread},
};

use super::provider;
use crate::model::{Bar, MetricsPage, Plot};

/// The page of figures; what is asked for and does not exist is left out of it.
pub async fn metrics_page(hub: &Hub, member: &Member, days: &str, of: &str) -> Result<MetricsPage> {
    let days = days.parse().ok().filter(|days| PERIODS.contains(days));
    let days = days.unwrap_or(30);
    let of = hub.catalog.get(of).map(|entry| entry.id.as_str());
    let figures = hub.figures(member, days, of).await?;
    let mut providers: Vec<(String, String)> = hub
        .connections(member)
        .await?
        .iter()
        .map(|one| {
            let provider = provider(hub, &one.connection.provider);
            (provider.id, provider.name)
        })
        .collect();
    providers.extend(of.map(|id| (id.to_owned(), provider(hub, id).name)));
    providers.sort_by(|one, other| one.1.cmp(&other.1));
    providers.dedup();
    Ok(MetricsPage {
        days,
        periods: PERIODS.to_vec(),
        provider: of.unwrap_or_default().to_owned(),
        providers,
        recorded: figures.recorded,
        plots: plots(hub, &figures),
    })
}

fn plots(hub: &Hub, figures: &Figures) -> Vec<Plot> {
    let mut plots = answered(hub, figures);
    // That nothing is known does not mean that nothing happened.
    if !figures.recorded {
        for plot in &mut plots {
            plot.answer = "Not recorded.".to_owned();
            plot.bars.clear();
        }
    }
    plots
}

fn answered(hub: &Hub, figures: &Figures) -> Vec<Plot> {
    let Figures {
        unattended,
        causes,
        first_repairs,
        times,
        cleared_first,
        ..
    } = figures;
    let all = |shares: &BTreeMap<String, Share>| {
        shares.values().fold(Share::default(), |sum, one| Share {
            of: sum.of + one.of,
            these: sum.these + one.these,
        })
    };
    let answer = |share: Share, one: &str, nothing: &str| match share.of {
        0 => nothing.to_owned(),
        of => format!("{} of {of} {one} ({}).", share.these, percent(share)),
    };
    let needed: u64 = causes.values().sum();
    let most = causes.values().copied().max().unwrap_or(1).max(1);
    let top = causes.iter().max_by_key(|(_, count)| **count);
    let everybody: Vec<&Spread> = times.values().collect();
    let slowest = everybody.iter().map(|one| one.nine_of_ten).max();
    let slowest = slowest.unwrap_or(1).max(1);
    vec![
        Plot {
            id: "unattended",
            question: "How many runs needed nobody?".into(),
            answer: answer(
                all(unattended),
                "runs went on without a person",
                "No run was begun.",
            ),
            columns: vec!["Provider", "Runs", "Needed nobody", "Share"],
            bars: shares(hub, unattended),
        },
        Plot {
            id: "causes",
            question: "Why was a person needed?".into(),
            answer: match top {
                None => "Nothing broke that needed a person.".into(),
                Some((cause, _)) if needed == 1 => {
                    format!("Once, because {}.", cause_in_words(cause))
                }
                Some((cause, count)) => format!(
                    "{needed} times, most often ({count}) because {}.",
                    cause_in_words(cause)
                ),
            },
            columns: vec!["Why", "Times", "Code"],
            bars: causes
                .iter()
                .map(|(code, count)| Bar {
                    label: capital(cause_in_words(code)),
                    length: thousandths(*count, most),
                    further: None,
                    cells: vec![count.to_string(), code.clone()],
                    said: count.to_string(),
                })
                .collect(),
        },
        Plot {
            id: "first-repairs",
            question: "How many repairs worked at the first attempt?".into(),
            answer: answer(
                all(first_repairs),
                "first attempts worked",
                "Nothing had to be repaired.",
            ),
            columns: vec!["Provider", "First attempts", "Worked", "Share"],
            bars: shares(hub, first_repairs),
        },
        Plot {
            id: "times",
            question: "How long does it take to connect?".into(),
            answer: match everybody.iter().map(|one| one.count).sum::<usize>() {
                0 => "Nobody connected an account by signing in.".into(),
                count => format!(
                    "Of {count}, at every provider half took no longer than {}.",
                    time(everybody.iter().map(|one| one.half).max().unwrap_or(0))
                ),
            },
            columns: vec!["Provider", "Times", "Half within", "Nine of ten within"],
            bars: times
                .iter()
                .map(|(id, spread)| Bar {
                    label: provider(hub, id).name,
                    length: thousandths(spread.half as u64, slowest as u64),
                    further: Some(thousandths(spread.nine_of_ten as u64, slowest as u64)),
                    cells: vec![
                        spread.count.to_string(),
                        time(spread.half),
                        time(spread.nine_of_ten),
                    ],
                    said: format!("{} · {}", time(spread.half), time(spread.nine_of_ten)),
                })
                .collect(),
        },
        Plot {
            id: "cleared-first",
            question: "Who gave up before trying to repair?".into(),
            answer: answer(
                all(cleared_first),
                "broken connections were ended before any repair",
                "Nobody had to do anything about a broken connection.",
            ),
            columns: vec!["Provider", "Broken, and acted on", "Ended first", "Share"],
            bars: shares(hub, cleared_first),
        },
        Plot {
            id: "detection",
            question: "How soon do we notice that something broke?".into(),
            answer: match figures.detection.count {
                0 => "Nothing broke that needed a person.".into(),
                _ => format!(
                    "Half within {} of when it last worked, nine of ten within {}.",
                    time(figures.detection.half),
                    time(figures.detection.nine_of_ten)
                ),
            },
            columns: Vec::new(),
            bars: Vec::new(),
        },
    ]
}

fn shares(hub: &Hub, shares: &BTreeMap<String, Share>) -> Vec<Bar> {
    shares
        .iter()
        .map(|(id, share)| Bar {
            label: provider(hub, id).name,
            length: thousandths(share.these, share.of),
            further: None,
            cells: vec![
                share.of.to_string(),
                share.these.to_string(),
                percent(*share),
            ],
            said: percent(*share),
        })
        .collect()
}

fn thousandths(these: u64, of: u64) -> u32 {
    match of {
        0 => 0,
        of => u32::try_from(these.saturating_mul(1000) / of)
            .unwrap_or(1000)
            .min(1000),
    }
}

fn percent(share: Share) -> String {
    match share.of {
        0 => "–".to_owned(),
        of => {
            let tenths = (share.these * 1000 + of / 2) / of;
            match tenths % 10 {
                0 => format!("{} %", tenths / 10),
                rest => format!("{}.{rest} %", tenths / 10),
            }
        }
    }
}

fn time(ms: i64) -> String {
    match ms {
        // No longer than that, which is all that is said of it.
        ..1_000 => "1 s".to_owned(),
        1_000..120_000 => format!("{} s", ms / 1_000),
        120_000..7_200_000 => format!("{} min", ms / 60_000),
        7_200_000..172_800_000 => format!("{} h", ms / 3_600_000),
        ms => format!("{} days", ms / 86_400_000),
    }
}

fn capital(text: &str) -> String {
    super::capital(text)
}

/// A failure code as a cause; codes that nothing has yet stay as they are.
fn cause_in_words(code: &str) -> &str {
    match code {
        "GRANT_REVOKED_OR_EXPIRED" => "the access was withdrawn or ended",
        "CREDENTIALS_REJECTED" => "a key or password was not accepted",
        "PERMISSION_MISSING" => "a permission was missing",
        "ADMIN_APPROVAL_REQUIRED" => "an admin has to allow it",
        "APP_CONFIG_INVALID" => "this hub is not set up correctly",
        "ACCOUNT_OR_TARGET_MISMATCH" => "it was another account",
        "SESSION_EXPIRED" => "a session ended",
        "MFA_OR_CHALLENGE_REQUIRED" => "an extra confirmation was asked for",
        "CHECKPOINT_OR_SUSPICIOUS_LOGIN" => "the provider stopped the sign-in",
        "REFUSED_BY_PROVIDER" => "the provider refuses the account",
        "CONSENT_DENIED_OR_ABANDONED" => "it was not completed",
        "FLOW_EXPIRED_OR_INVALID" => "the attempt could not be used any more",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_times_are_said_as_people_say_them() {
        let share = |these, of| percent(Share { of, these });
        assert_eq!(share(0, 0), "–");
        assert_eq!(share(1, 3), "33.3 %");
        assert_eq!(share(2, 4), "50 %");
        assert_eq!(time(400), "1 s");
        assert_eq!(time(61_000), "61 s");
        assert_eq!(time(3_600_000), "60 min");
        assert_eq!(time(90_000_000), "25 h");
        assert_eq!(thousandths(3, 0), 0);
        assert_eq!(thousandths(1, 2), 500);
    }
}
