/** How long a loop may hold the thread before it lets others have it. */
const SLICE_MS = 4;

const waiting: (() => void)[] = [];
let since = performance.now();

/**
 * Lets whatever else the process has to do go first, once the loops that call this have held the thread for a few
 * milliseconds. Loops that wait are resumed in order, one for each turn of the event loop: many at once hold up requests
 * no longer than one does. For every loop over facts whose length somebody else decides.
 */
export async function giveWay(): Promise<void> {
  if (waiting.length === 0 && performance.now() - since < SLICE_MS) return;
  await new Promise<void>((resume) => {
    if (waiting.push(resume) === 1) setImmediate(resumeNext);
  });
}

/** The thread was free until now: whoever runs first has the whole slice. */
function resumeNext(): void {
  since = performance.now();
  waiting.shift()?.();
  if (waiting.length > 0) setImmediate(resumeNext);
}
