//! Whether a caller reads riders' names.

use super::ApiContext;

/// How riders are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// By their names.
    Names,
    /// By their numbers, which say nothing of the person.
    Numbers,
}

impl Naming {
    /// Every one.
    pub(super) const ALL: [Naming; 2] = [Naming::Names, Naming::Numbers];

    /// What holds for whoever asks: without keys only this machine is answered, and whoever is at it is its administrator.
    pub(super) fn of(_: &ApiContext) -> Self {
        Naming::Names
    }

    /// The name, for who may read it.
    pub(super) fn name(self, name: Option<&str>) -> Option<String> {
        name.filter(|_| self == Naming::Names).map(str::to_owned)
    }

    /// What a rider is called on a page: by name, else by number; none where the bike never said who rides.
    pub(super) fn label(self, rider_id: Option<i64>, name: Option<&str>) -> Option<String> {
        self.name(name).or_else(|| Some(format!("Rider {}", rider_id?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rider_is_a_number_to_who_may_not_read_names_and_to_all_where_no_name_is_known() {
        let label = |naming: Naming, name| naming.label(Some(306), name);
        assert_eq!(label(Naming::Names, Some("Ann Other")).as_deref(), Some("Ann Other"));
        assert_eq!(label(Naming::Names, None).as_deref(), Some("Rider 306"));
        assert_eq!(label(Naming::Numbers, Some("Ann Other")).as_deref(), Some("Rider 306"));
        assert_eq!(Naming::Numbers.label(None, Some("Ann Other")), None);
        assert_eq!(Naming::Numbers.name(Some("Ann Other")), None);
    }
}
