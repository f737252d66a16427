import { useSyncExternalStore } from 'react';

/** Who is logged in on this tab, and the token that says so to the API. */
export type Session = {
  token: string;
  /** Milliseconds since 1970. */
  expiresAt: number;
  roles: string[];
  sub: string;
  org?: string | undefined;
  nom?: string | undefined;
};

/** Why nobody is logged in: never was, left, or the token is no longer accepted. */
export type Absence = 'none' | 'left' | 'expired';

type Message = { asks: true } | { hands: Session } | { leaves: string };

const KEPT = 'jalon.session';
const listeners = new Set<() => void>();
const tabs = new BroadcastChannel(KEPT);
let session: Session | null = kept();
let absence: Absence = 'none';

tabs.onmessage = ({ data }: MessageEvent<Message>) => {
  if ('asks' in data && session) tabs.postMessage({ hands: session } satisfies Message);
  if ('hands' in data && !session && absence === 'none') change(data.hands);
  if ('leaves' in data && session?.token === data.leaves) change(null, 'left');
};

function kept(): Session | null {
  const text = sessionStorage.getItem(KEPT);
  const found = text === null ? null : (JSON.parse(text) as Session);
  return found && found.expiresAt > Date.now() ? found : null;
}

function change(next: Session | null, why: Absence = 'none'): void {
  session = next;
  absence = why;
  if (next) sessionStorage.setItem(KEPT, JSON.stringify(next));
  else sessionStorage.removeItem(KEPT);
  for (const listener of listeners) listener();
}

/** Logs in on this tab. Other tabs keep who they are, so that several roles can be tried side by side. */
export function enter(next: Session): void {
  change(next);
}

/** Logs out: in every tab that has this session when someone `left`, here alone when the token `expired`. */
export function leave(why: 'left' | 'expired'): void {
  if (session && why === 'left') tabs.postMessage({ leaves: session.token } satisfies Message);
  if (session) change(null, why);
}

export function currentSession(): Session | null {
  return session;
}

/** Why nobody is logged in here. */
export function whyAbsent(): Absence {
  return absence;
}

/** Who is logged in, followed by the component. */
export function useSession(): Session | null {
  return useSyncExternalStore(listen, currentSession);
}

function listen(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** How long a new tab waits for another one to hand its session over, in milliseconds. */
const HANDED_WITHIN = 150;

/** A tab opened from another one asks it who is logged in: the token never lies on the disk of this machine. */
export async function takeOver(): Promise<void> {
  if (session) return;
  await new Promise<void>((done) => {
    const timer = setTimeout(done, HANDED_WITHIN);
    listeners.add(() => {
      clearTimeout(timer);
      done();
    });
    tabs.postMessage({ asks: true } satisfies Message);
  });
}
