//! Conditions on a stored failure: both databases read what is in it.

use sea_orm::sea_query::{BinOper, Expr, ExprTrait, IntoColumnRef};

use crate::failure::FailureCode;

/// Whether the failure in `column` has one of these codes.
pub(super) fn is_one_of(column: impl IntoColumnRef, codes: &[FailureCode]) -> Expr {
    let codes = codes.iter().map(|code| code.as_str());
    part(column, "code").is_in(codes)
}

/// Whether nobody said with the failure in `column` how long to wait.
pub(super) fn has_no_wish(column: impl IntoColumnRef) -> Expr {
    part(column, "retry_at").is_null()
}

fn part(column: impl IntoColumnRef, name: &str) -> Expr {
    Expr::col(column).binary(BinOper::Custom("->>"), name)
}
