//! What an app may be allowed to do.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// A permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scope {
    /// See the shop and its products.
    #[serde(rename = "shop.read")]
    ShopRead,
    /// See orders.
    #[serde(rename = "orders.read")]
    OrdersRead,
    /// Create orders.
    #[serde(rename = "orders.write")]
    OrdersWrite,
    /// Add products.
    #[serde(rename = "products.write")]
    ProductsWrite,
}

impl Scope {
    /// All of them, in the order a person reads them.
    pub const ALL: [Self; 4] = [
        Self::ShopRead,
        Self::OrdersRead,
        Self::OrdersWrite,
        Self::ProductsWrite,
    ];

    /// As written in a `scope` parameter.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ShopRead => "shop.read",
            Self::OrdersRead => "orders.read",
            Self::OrdersWrite => "orders.write",
            Self::ProductsWrite => "products.write",
        }
    }

    /// As the consent page says it.
    pub fn meaning(self) -> (&'static str, &'static str) {
        match self {
            Self::ShopRead => ("See your shop", "Its products and prices"),
            Self::OrdersRead => ("See your orders", "Who bought what, and when"),
            Self::OrdersWrite => ("Create orders", "Enter orders in your name"),
            Self::ProductsWrite => ("Add products", "Put new products into your shop"),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// Reads a space-separated `scope` parameter. `None` if it names an unknown scope.
pub(crate) fn parse(text: &str) -> Option<BTreeSet<Scope>> {
    text.split_ascii_whitespace().map(Scope::parse).collect()
}

/// The `scope` parameter for a set of scopes.
pub(crate) fn join(scopes: &BTreeSet<Scope>) -> String {
    let words: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
    words.join(" ")
}
