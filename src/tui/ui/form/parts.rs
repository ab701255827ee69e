//! What a form is made of.

use std::collections::BTreeSet;

use super::{super::field::Field, MOST_ROWS, is_blank};

/// One part of a form, from the top.
#[derive(Debug, Clone)]
pub enum Part {
    Single(Single),
    Pick(Pick),
    Grid(Grid),
    /// A line that is only shown, such as a sum.
    Told {
        name: &'static str,
        label: &'static str,
        text: String,
    },
}

/// One labelled line to type into.
#[derive(Debug, Clone)]
pub struct Single {
    pub name: &'static str,
    pub label: &'static str,
    /// Shown while it is empty.
    pub hint: &'static str,
    pub(super) field: Field,
    pub(super) touched: bool,
    /// Something was put in before anyone typed.
    pub(super) filled: bool,
}

/// A line that is searched; one of what is found is picked.
#[derive(Debug, Clone)]
pub struct Pick {
    pub name: &'static str,
    pub label: &'static str,
    pub hint: &'static str,
    pub(super) field: Field,
    pub(super) found: Vec<Choice>,
    /// Beneath the line: how many were found, why none.
    pub(super) note: String,
    pub(super) cursor: usize,
    pub(super) chosen: Option<Choice>,
    pub(super) touched: bool,
}

/// Something to pick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What the program knows it by.
    pub value: String,
    pub label: String,
}

/// Rows with columns. The last row is always blank: typing there adds another; a row that is emptied
/// does not count.
#[derive(Debug, Clone)]
pub struct Grid {
    pub name: &'static str,
    pub label: &'static str,
    /// Title and width of each column; the first takes what is left.
    pub columns: &'static [(&'static str, u16)],
    pub(super) rows: Vec<Vec<Field>>,
    pub(super) touched: BTreeSet<(usize, usize)>,
}

/// What a problem is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Field(&'static str),
    /// A cell of a table: its row and column, from 0.
    Cell(&'static str, usize, usize),
}

/// What is wrong, and the rule that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub place: Place,
    pub text: String,
    /// The rule's name, the same everywhere.
    pub rule: &'static str,
}

impl Part {
    /// The part's own name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Single(single) => single.name,
            Self::Pick(pick) => pick.name,
            Self::Grid(grid) => grid.name,
            Self::Told { name, .. } => name,
        }
    }

    /// A line to type into.
    #[must_use]
    pub fn single(name: &'static str, label: &'static str, hint: &'static str) -> Self {
        Self::Single(Single {
            name,
            label,
            hint,
            field: Field::default(),
            touched: false,
            filled: false,
        })
    }

    /// A line to search with.
    #[must_use]
    pub fn search(name: &'static str, label: &'static str, hint: &'static str) -> Self {
        Self::Pick(Pick {
            name,
            label,
            hint,
            field: Field::default(),
            found: vec![],
            note: String::new(),
            cursor: 0,
            chosen: None,
            touched: false,
        })
    }

    /// A table with one blank row.
    #[must_use]
    pub fn grid(
        name: &'static str,
        label: &'static str,
        columns: &'static [(&'static str, u16)],
    ) -> Self {
        let rows = vec![vec![Field::default(); columns.len()]];
        Self::Grid(Grid { name, label, columns, rows, touched: BTreeSet::new() })
    }

    /// A line that is only shown.
    #[must_use]
    pub const fn told(name: &'static str, label: &'static str) -> Self {
        Self::Told { name, label, text: String::new() }
    }
}

impl Pick {
    pub(super) fn take(&mut self, choice: Choice) {
        self.field.set(&choice.label);
        self.chosen = Some(choice);
        self.found.clear();
        self.note.clear();
        self.cursor = 0;
    }
}

impl Grid {
    pub(super) fn edited(&mut self, row: usize, column: usize) {
        self.touched.insert((row, column));
        if self.rows.last().is_some_and(|row| !is_blank(row)) && self.rows.len() < MOST_ROWS {
            self.rows.push(vec![Field::default(); self.columns.len()]);
        }
    }

    /// A cell of a row that is not blank was left.
    pub(super) fn touch(&mut self, row: usize, column: usize) {
        if self.rows.get(row).is_some_and(|row| !is_blank(row)) {
            self.touched.insert((row, column));
        }
    }
}
