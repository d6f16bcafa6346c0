//! Keys: node keys and the peer ids derived from them, the swarm key, the key pair that
//! validates domains, the application key of the tenancy, and the kinds of SSH key files.
//!
//! Each type parses text or bytes. Its error gives the exact reason, but never contains the
//! text. This room doesn't read or write files.

mod app_key;
mod node_key;
mod private;
mod ssh_key;
mod swarm_key;
mod validation;

pub use app_key::{AppKeyError, check_app_key};
pub use libp2p_identity::PeerId;
pub use node_key::{NodeKey, NodeKeyError, peer_id_of_public_half, public_half_of_peer_id};
pub use private::holds_private_key;
pub use ssh_key::{SshKeyKind, UnsupportedKey};
pub use swarm_key::{SwarmKey, SwarmKeyError};
pub use validation::{PemError, ValidationError, ValidationKeys};
