//! Container engines, which some services need.

/// A container engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContainerEngine {
    /// The package that installs the engine.
    pub package: &'static str,
    /// The unit that runs the engine.
    pub unit: &'static str,
}

/// The engines that nodes can use.
pub const ENGINES: &[ContainerEngine] = &[
    ContainerEngine { package: "docker.io", unit: "docker.service" },
    ContainerEngine { package: "containerd", unit: "containerd.service" },
];

/// The engine that is installed on a host that needs one and has none.
pub const INSTALLED: ContainerEngine = ENGINES[0];
