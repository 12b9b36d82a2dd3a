//! Orders and products: something for an app to read and write.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::State;
use crate::secrets::mint_id;

/// A sale.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub id: String,
    pub customer: String,
    /// In cents.
    pub total_cents: u64,
    /// When it was entered; the seeded ones are older than the shop.
    pub created_at: Option<DateTime<Utc>>,
}

/// Something to sell.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Product {
    pub id: String,
    pub name: String,
    /// In cents.
    pub price_cents: u64,
}

/// An account keeps this many entries of each kind; older ones fall out.
const KEPT: usize = 500;

impl State {
    pub fn orders(&self, account: &str) -> Vec<Order> {
        let seeded = [
            ("1001", "Ada Lind", 4_200),
            ("1002", "Noor Haddad", 1_850),
            ("1003", "Tomás Ruiz", 12_900),
        ];
        let seeded = seeded.map(|(id, customer, total_cents)| Order {
            id: format!("ord_{id}"),
            customer: customer.to_owned(),
            total_cents,
            created_at: None,
        });
        with_added(seeded.into(), &self.orders, account)
    }

    pub fn add_order(
        &mut self,
        account: &str,
        customer: String,
        total_cents: u64,
        now: DateTime<Utc>,
    ) -> Order {
        let order = Order {
            id: mint_id("ord_"),
            customer,
            total_cents,
            created_at: Some(now),
        };
        add(&mut self.orders, account, order.clone());
        order
    }

    pub fn products(&self, account: &str) -> Vec<Product> {
        let seeded = [
            ("mug", "Stoneware mug", 1_850),
            ("tote", "Canvas tote", 2_400),
            ("candle", "Beeswax candle", 900),
        ];
        let seeded = seeded.map(|(id, name, price_cents)| Product {
            id: format!("prod_{id}"),
            name: name.to_owned(),
            price_cents,
        });
        with_added(seeded.into(), &self.products, account)
    }

    pub fn add_product(&mut self, account: &str, name: String, price_cents: u64) -> Product {
        let product = Product {
            id: mint_id("prod_"),
            name,
            price_cents,
        };
        add(&mut self.products, account, product.clone());
        product
    }
}

fn with_added<T: Clone>(
    mut seeded: Vec<T>,
    added: &BTreeMap<String, Vec<T>>,
    account: &str,
) -> Vec<T> {
    seeded.extend(added.get(account).into_iter().flatten().cloned());
    seeded
}

fn add<T>(all: &mut BTreeMap<String, Vec<T>>, account: &str, entry: T) {
    let entries = all.entry(account.to_owned()).or_default();
    if entries.len() == KEPT {
        entries.remove(0);
    }
    entries.push(entry);
}
