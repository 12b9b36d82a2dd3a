//! Text that comes from outside.

/// Whether a character of a line is not seen for what it is: it ends the line, or
/// turns around what stands beside it (UAX #9, explicit directional formatting),
/// so that a name could say something else than is read.
pub(crate) fn is_deceptive(c: char) -> bool {
    let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}
