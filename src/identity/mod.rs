//! Who a node is and what lets it in: node keys and the peer ids they make,
//! the swarm key, the pair that validates domains; and which kind of SSH key a
//! file holds.
//!
//! Each type takes text or bytes and refuses what isn't one, with the exact
//! reason and never with the text itself. Which file that came from, and where
//! it goes, is others' business.

mod app_key;
mod node_key;
mod ssh_key;
mod swarm_key;
mod validation;

pub use app_key::{AppKeyError, check_app_key};
pub use libp2p_identity::PeerId;
pub use node_key::{NodeKey, NodeKeyError};
pub use ssh_key::SshKeyKind;
pub use swarm_key::{SwarmKey, SwarmKeyError};
pub use validation::{PemError, ValidationError, ValidationKeys};
