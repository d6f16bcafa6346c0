//! The build information by which `spore` recognizes tau. Go's linker writes a program's
//! main package into the program, and `spore tau pin`, `check` and `plan` refuse a program
//! with another main package, or with none. The stand-in isn't built by Go, but contains
//! tau's build information in the same form.

/// The version in the build information.
pub(crate) const VERSION: &str = concat!("v", env!("CARGO_PKG_VERSION"), "-stand-in");

const MODULES: &[u8] = concat!(
    "path\tgithub.com/taubyte/tau\nmod\tgithub.com/taubyte/tau\tv",
    env!("CARGO_PKG_VERSION"),
    "-stand-in\t\n"
)
.as_bytes();
/// The magic words, the size of a pointer, and a flag that both texts follow inline.
const HEADER: &[u8] = b"\xff Go buildinf:\x08\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02go";
/// The size of the frame before and after the modules.
const FRAME: usize = 16;
const LENGTH: usize = HEADER.len() + 1 + FRAME + MODULES.len() + FRAME;

/// Go's linker aligns the build information in the same way, so that it can be found
/// quickly.
#[repr(align(16))]
#[expect(dead_code, reason = "spore reads it, in the file")]
struct Aligned([u8; LENGTH]);

#[used]
static BUILD_INFO: Aligned = Aligned(build_info());

const fn build_info() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    let mut i = 0;
    while i < HEADER.len() {
        bytes[i] = HEADER[i];
        i += 1;
    }
    let length = FRAME + MODULES.len() + FRAME;
    // The length is a varint of one byte.
    assert!(length < 0x80);
    bytes[HEADER.len()] = length as u8;
    i = 0;
    while i < MODULES.len() {
        bytes[HEADER.len() + 1 + FRAME + i] = MODULES[i];
        i += 1;
    }
    bytes
}
