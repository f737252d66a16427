import { type ReactNode, type RefObject, useEffect, useRef, useState } from 'react';

/** What may be wider than the screen: it then scrolls within its frame, also by keyboard, and says what it is. */
export function Scrolling({ className, label, children }: { className: string; label: string; children: ReactNode }) {
  const frame = useRef<HTMLDivElement>(null);
  const overflows = useOverflow(frame);
  return (
    <div
      ref={frame}
      className={className}
      {...(overflows ? { tabIndex: 0, role: 'region', 'aria-label': `${label}, tracé qui défile` } : {})}
    >
      {children}
    </div>
  );
}

/** Whether something is wider than its frame: what scrolls must then be reached by keyboard. */
export function useOverflow(frame: RefObject<HTMLElement | null>): boolean {
  const [overflows, setOverflows] = useState(false);
  useEffect(() => {
    const { current } = frame;
    if (!current) return;
    const seen = new ResizeObserver(() => setOverflows(current.scrollWidth > current.clientWidth));
    seen.observe(current);
    if (current.firstElementChild) seen.observe(current.firstElementChild);
    return () => seen.disconnect();
  }, [frame]);
  return overflows;
}
