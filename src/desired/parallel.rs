//! Hosts are compiled and planned at the same time.

use std::num::NonZero;
use std::thread;

/// Maps every item, on as many threads as the machine runs at the same time. The results are
/// in the order of the items.
pub(crate) fn in_parallel<T: Send, R: Send>(items: Vec<T>, map: impl Fn(T) -> R + Sync) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let each = items.len().div_ceil(threads).max(1);
    // A thread costs about as much as compiling or planning a host.
    if threads == 1 || each < 8 {
        return items.into_iter().map(map).collect();
    }
    let mut items = items.into_iter();
    let chunks: Vec<Vec<T>> = (0..threads).map(|_| items.by_ref().take(each).collect()).collect();
    let map = &map;
    thread::scope(|scope| {
        let run = |chunk: Vec<T>| scope.spawn(move || chunk.into_iter().map(map).collect::<Vec<R>>());
        let running: Vec<_> = chunks.into_iter().map(run).collect();
        let mut results = Vec::new();
        for thread in running {
            match thread.join() {
                Ok(part) => results.extend(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        results
    })
}
