//! Who a node is and what lets it in: node keys and the peer ids they make,
//! the swarm key, the pair that validates domains.
//!
//! Each type takes text or bytes and refuses what isn't one, with the exact
//! reason and never with the text itself. Which file that came from, and where
//! it goes, is others' business.

mod node_key;
mod swarm_key;
mod validation;

pub use libp2p_identity::PeerId;
pub use node_key::{NodeKey, NodeKeyError};
pub use swarm_key::{SwarmKey, SwarmKeyError};
pub use validation::{PemError, ValidationError, ValidationKeys};
