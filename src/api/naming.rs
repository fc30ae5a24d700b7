//! What a caller reads of who rides.

use super::{ApiContext, access::Caller};
use crate::domain::access::{
    Pseudonyms,
    Role::{self, Admin, Analyst},
};

/// How riders are called before somebody of a role.
#[derive(Debug, Clone)]
pub(super) struct Naming {
    role: Role,
    pseudonyms: Pseudonyms,
}

impl Naming {
    /// What holds for `caller`.
    pub(super) fn of(context: &ApiContext, caller: &Caller) -> Self {
        Naming::new(caller.role, context.store.pseudonyms().clone())
    }

    /// What holds for `role`, where riders have `pseudonyms`.
    pub(super) fn new(role: Role, pseudonyms: Pseudonyms) -> Self {
        Naming { role, pseudonyms }
    }

    /// For whom it holds.
    pub(super) fn role(&self) -> Role {
        self.role
    }

    /// The name, for who may read it.
    pub(super) fn name(&self, name: Option<&str>) -> Option<String> {
        name.filter(|_| self.role >= Admin).map(str::to_owned)
    }

    /// What is the rider's alone and yet no name, such as their number or weight, for who may read it.
    pub(super) fn of_one<T>(&self, value: Option<T>) -> Option<T> {
        value.filter(|_| self.role >= Analyst)
    }

    /// What a rider is called before those who may not know who it is.
    pub(super) fn pseudonym(&self, rider_id: Option<i64>) -> Option<String> {
        rider_id.map(|rider_id| self.pseudonyms.of(rider_id))
    }

    /// What a rider is called on a page: by name, else by number, else by pseudonym; none where the bike never said who
    /// rides.
    pub(super) fn label(&self, rider_id: Option<i64>, name: Option<&str>) -> Option<String> {
        let number = || self.of_one(rider_id).map(|rider_id| format!("Rider {rider_id}"));
        let named = self.name(name).filter(|_| rider_id.is_some());
        named.or_else(number).or_else(|| self.pseudonym(rider_id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rider_is_a_name_a_number_or_a_pseudonym_by_who_reads() {
        let naming = |role| Naming::new(role, Pseudonyms::new([7; 32]));
        let label = |role, name| naming(role).label(Some(306), name);
        let pseudonym = Pseudonyms::new([7; 32]).of(306);
        assert_eq!(label(Admin, Some("Ann Other")).as_deref(), Some("Ann Other"));
        assert_eq!(label(Admin, None).as_deref(), Some("Rider 306"));
        assert_eq!(label(Analyst, Some("Ann Other")).as_deref(), Some("Rider 306"));
        assert_eq!(label(Role::Viewer, Some("Ann Other")), Some(pseudonym));
        for role in Role::ALL {
            assert_eq!(naming(role).label(None, None), None);
            assert_eq!(naming(role).name(Some("Ann Other")).is_some(), role == Admin);
            assert_eq!(naming(role).of_one(Some(306)).is_some(), role >= Analyst);
        }
    }
}
