//! The people who own shops here.

/// One seeded account. There are no others.
#[derive(Debug, PartialEq, Eq)]
pub struct Account {
    /// Stable id, as `/api/me` answers it.
    pub id: &'static str,
    /// Name of the business.
    pub name: &'static str,
    /// Sign-in name.
    pub email: &'static str,
    /// What it pays for.
    pub plan: &'static str,
    /// Two letters for its picture.
    pub initials: &'static str,
}

/// The password of every account.
pub const PASSWORD: &str = "sandbox";

/// All accounts; the first is suggested to a newcomer.
pub static ACCOUNTS: [Account; 3] = [
    Account {
        id: "acc_maple",
        name: "Maple & Co.",
        email: "maple@shop.test",
        plan: "Plus",
        initials: "MC",
    },
    Account {
        id: "acc_harbour",
        name: "Harbour Books",
        email: "harbour@shop.test",
        plan: "Starter",
        initials: "HB",
    },
    Account {
        id: "acc_atelier",
        name: "Atelier Nord",
        email: "atelier@shop.test",
        plan: "Studio",
        initials: "AN",
    },
];

impl Account {
    /// The account with this id or e-mail.
    pub fn find(id_or_email: &str) -> Option<&'static Self> {
        ACCOUNTS.iter().find(|account| {
            account.id == id_or_email || account.email.eq_ignore_ascii_case(id_or_email)
        })
    }
}
