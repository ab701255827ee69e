//! The slice of a long list that is held in memory: a page on each side of what is shown.

/// Rows in order, and whether more lie beyond either end. `K` is the key of the end rows.
#[derive(Debug, Clone)]
pub struct Window<T, K> {
    pub rows: Vec<T>,
    /// Key to ask for rows before the first; none when it is the first of all.
    pub before: Option<K>,
    /// Key to ask for rows after the last; none when it is the last of all.
    pub after: Option<K>,
}

impl<T, K> Default for Window<T, K> {
    fn default() -> Self {
        Self { rows: vec![], before: None, after: None }
    }
}

/// Most rows held: a page shown, one on each side.
pub const MOST: usize = 300;

impl<T, K: Clone> Window<T, K> {
    /// Takes the page after the last row; drops from the front what no longer fits. Yields how many
    /// rows went from the front. `key` names a row.
    pub fn append(&mut self, page: Self, key: impl Fn(&T) -> K) -> usize {
        self.rows.extend(page.rows);
        self.after = page.after;
        let surplus = self.rows.len().saturating_sub(MOST);
        if surplus > 0 {
            self.rows.drain(..surplus);
            self.before = self.rows.first().map(key);
        }
        surplus
    }

    /// Takes the page before the first row; drops from the end what no longer fits. Yields how many
    /// rows came to the front.
    pub fn prepend(&mut self, page: Self, key: impl Fn(&T) -> K) -> usize {
        let came = page.rows.len();
        self.rows.splice(0..0, page.rows);
        self.before = page.before;
        if self.rows.len() > MOST {
            self.rows.truncate(MOST);
            self.after = self.rows.last().map(key);
        }
        came
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(range: std::ops::Range<usize>) -> Window<usize, usize> {
        let (first, last) = (range.start, range.end - 1);
        Window {
            before: (first > 0).then_some(first),
            after: (last < 999).then_some(last),
            rows: range.collect(),
        }
    }

    #[test]
    fn walking_down_and_up_keeps_a_bounded_contiguous_slice() {
        let mut window = page(0..100);
        for start in (100..1000).step_by(100) {
            window.append(page(start..start + 100), |row| *row);
            assert!(window.rows.len() <= MOST);
        }
        assert_eq!((window.rows.last(), window.after), (Some(&999), None));
        assert_eq!(window.before, Some(700));
        while let Some(first) = window.before {
            let came = window.prepend(page(first - 100..first), |row| *row);
            assert_eq!(came, 100);
            assert!(window.rows.windows(2).all(|pair| pair[0] + 1 == pair[1]));
        }
        assert_eq!((window.rows.first(), window.rows.len()), (Some(&0), MOST));
        assert_eq!(window.after, Some(299));
    }
}
