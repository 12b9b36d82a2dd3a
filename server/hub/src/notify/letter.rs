//! What a mail says, as text and as HTML. Both say the same, and the HTML
//! carries no picture, no script and no address but ours and the one button's.

use lettre::{
    Message,
    message::{
        Mailbox, MultiPart,
        header::{Header, HeaderName, HeaderValue},
    },
};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::text::is_deceptive;

/// A mail.
pub(super) struct Letter {
    /// What it is about, in one line.
    pub subject: String,
    /// What stands before everything else.
    pub lead: Option<String>,
    /// What it is about: one, or several that are told together.
    pub items: Vec<Item>,
    /// Why its reader gets it.
    pub because: String,
    /// Where they say what they want to get.
    pub choices: String,
}

/// One connection in a mail.
pub(super) struct Item {
    /// Provider and account.
    pub heading: String,
    /// What, why and what it means.
    pub lines: Vec<String>,
    /// The one button: what it says, and where it leads.
    pub button: Option<(String, String)>,
}

/// A mail that could not be put together: an address that is none.
#[derive(Debug)]
pub(super) struct NoLetter;

impl Letter {
    /// As it goes out. `id` is the same however often it is tried, so that who
    /// gets it twice sees it once.
    pub fn message(
        &self,
        from: Mailbox,
        (name, address): (&str, &str),
        id: &str,
    ) -> Result<Message, NoLetter> {
        let address = address.parse().map_err(|_| NoLetter)?;
        let choices = format!("<{}>", self.choices);
        Message::builder()
            .from(from)
            .to(Mailbox::new(Some(line(name)), address))
            .subject(line(&self.subject))
            .message_id(Some(id.to_owned()))
            .header(ListUnsubscribe(choices))
            .header(AutoSubmitted("auto-generated".into()))
            .multipart(MultiPart::alternative_plain_html(
                self.text(),
                self.html().into_string(),
            ))
            .map_err(|_| NoLetter)
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let mut add = |part: &str| {
            text.push_str(part);
            text.push_str("\n\n");
        };
        if let Some(lead) = &self.lead {
            add(&line(lead));
        }
        for item in &self.items {
            add(&line(&item.heading));
            let lines: Vec<_> = item.lines.iter().map(|said| line(said)).collect();
            add(&lines.join("\n"));
            if let Some((label, address)) = &item.button {
                add(&format!("{}:\n{address}", line(label)));
            }
        }
        text.push_str("-- \n");
        text.push_str(&line(&self.because));
        text.push_str("\nChoose what you are mailed: ");
        text.push_str(&self.choices);
        text.push('\n');
        text
    }

    fn html(&self) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="supported-color-schemes" content="light dark";
                    title { (self.subject) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    div class="page" {
                        @if let Some(lead) = &self.lead { p class="lead" { (lead) } }
                        @for item in &self.items {
                            div class="card" {
                                h1 { (item.heading) }
                                @for (nth, said) in item.lines.iter().enumerate() {
                                    @if nth == 0 { p class="what" { (said) } }
                                    @else { p { (said) } }
                                }
                                @if let Some((label, address)) = &item.button {
                                    p class="go" { a class="button" href=(address) { (label) } }
                                }
                            }
                        }
                        p class="foot" {
                            (self.because) " "
                            a href=(self.choices) { "Choose what you are mailed" } "."
                        }
                    }
                }
            }
        }
    }
}

/// On one line: whatever a provider or a person called something, it begins no
/// header and no paragraph of its own.
fn line(text: &str) -> String {
    text.chars()
        .map(|c| if is_deceptive(c) { ' ' } else { c })
        .collect()
}

/// The colours of the pages, in both themes. Mail programs that know no style
/// sheets show the same words in their own.
const STYLE: &str = "
body { margin: 0; background: #f6f7f7; color: #14201f; font: 16px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif; }
.page { max-width: 34rem; margin: 0 auto; padding: 24px 16px; }
.lead { margin: 0 0 12px; }
.card { background: #ffffff; border: 1px solid #e1e5e6; border-radius: 12px; padding: 20px; margin: 0 0 16px; }
h1 { font-size: 18px; line-height: 1.3; margin: 0 0 12px; }
p { margin: 0 0 8px; overflow-wrap: anywhere; }
.what { font-weight: 600; }
.go { margin: 20px 0 4px; }
.button { display: inline-block; background: #0b6b62; color: #ffffff; text-decoration: none; font-weight: 600; padding: 12px 20px; border-radius: 9px; }
.foot { color: #566265; font-size: 13px; margin: 20px 0 0; }
.foot a { color: inherit; }
@media (prefers-color-scheme: dark) {
  body { background: #0e1414; color: #e8eeed; }
  .card { background: #151d1d; border-color: #273333; }
  .button { background: #5fd3c0; color: #04211d; }
  .foot { color: #a1afae; }
}
";

macro_rules! header {
    ($($name:ident = $text:literal),*) => {$(
        #[derive(Clone)]
        struct $name(String);

        impl Header for $name {
            fn name() -> HeaderName {
                HeaderName::new_from_ascii_str($text)
            }
            fn parse(value: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
                Ok(Self(value.to_owned()))
            }
            fn display(&self) -> HeaderValue {
                HeaderValue::new(Self::name(), self.0.clone())
            }
        }
    )*};
}

header!(
    ListUnsubscribe = "List-Unsubscribe",
    AutoSubmitted = "Auto-Submitted"
);

#[cfg(test)]
mod tests {
    use super::*;

    fn letter() -> Letter {
        Letter {
            subject: "Shop\r\nBcc: eve@evil.example".into(),
            lead: None,
            items: vec![Item {
                heading: "Shop <img src=x onerror=alert(1)>".into(),
                lines: vec!["It stopped.\r\n\r\nPay here: https://evil.example".into()],
                button: Some(("Repair it".into(), "https://hub.example/link/x".into())),
            }],
            because: "You connected it.".into(),
            choices: "https://hub.example/settings/notices".into(),
        }
    }

    #[test]
    fn what_others_called_something_begins_no_header_and_no_tag() {
        let from: Mailbox = "Linkwell <linkwell@example.com>".parse().unwrap();
        let to = ("Ana\r\nBcc: eve@evil.example", "ana@example.com");
        let message = letter().message(from, to, "<1@hub.example>").unwrap();
        assert_eq!(message.envelope().to().len(), 1);
        let text = String::from_utf8(message.formatted()).unwrap();
        let (headers, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(!headers.contains("\r\nBcc:"), "{headers}");
        assert!(headers.contains("List-Unsubscribe: <https://hub.example/settings/notices>"));
        // As plain text it is harmless; as HTML it is text.
        let body = body.replace("=\r\n", "");
        let (plain, html) = body.split_once("text/html").unwrap();
        assert!(plain.contains("<img") && html.contains("&lt;img"), "{body}");
        assert!(!html.contains("<img"), "{body}");
        assert!(!letter().text().contains("\n\nPay here"));
    }

    #[test]
    fn an_address_that_is_none_is_no_letter() {
        let from: Mailbox = "linkwell@example.com".parse().unwrap();
        let to = ("Ana", "ana@example.com\r\nRCPT TO:<eve@evil.example>");
        assert!(letter().message(from, to, "<1@hub.example>").is_err());
    }
}
