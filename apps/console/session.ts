import { useSyncExternalStore } from 'react';
import { Drafts, forgetDrafts } from './drafts.ts';

/** Who is logged in on this tab, and the token that says so to the API. */
export type Session = {
  /** Of this login, in all its tabs; whoever logs in again once the token expired goes on with it. */
  id: string;
  /** Who vouches for `sub`. */
  iss: string;
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

/** The session that expired here, which the same person may go on with. */
type Expired = Pick<Session, 'id' | 'iss' | 'sub' | 'org'>;

const KEPT = 'jalon.session';
const EXPIRED = 'jalon.session.expiree';
const listeners = new Set<() => void>();
const tabs = new BroadcastChannel(KEPT);
let session: Session | null = kept();
let absence: Absence = 'none';

tabs.onmessage = ({ data }: MessageEvent<Message>) => {
  if ('asks' in data && session) tabs.postMessage({ hands: session } satisfies Message);
  if ('hands' in data && !session && absence === 'none') change(data.hands);
  if (!('leaves' in data)) return;
  if (session?.id === data.leaves) change(null, 'left');
  else if (!session && read<Expired>(EXPIRED)?.id === data.leaves) forget();
};

function read<T>(key: string): T | null {
  return JSON.parse(sessionStorage.getItem(key) ?? 'null') as T | null;
}

/** Nothing remains in this tab of who was here. */
function forget(): void {
  sessionStorage.removeItem(EXPIRED);
  forgetDrafts();
}

function kept(): Session | null {
  const found = read<Session>(KEPT);
  if (found && found.expiresAt <= Date.now()) expire(found);
  return found && found.expiresAt > Date.now() ? found : null;
}

function expire({ id, iss, sub, org }: Session): void {
  sessionStorage.setItem(EXPIRED, JSON.stringify({ id, iss, sub, org } satisfies Expired));
}

function change(next: Session | null, why: Absence = 'none'): void {
  if (session && why === 'expired') expire(session);
  if (why === 'left') forget();
  session = next;
  absence = why;
  if (next) sessionStorage.setItem(KEPT, JSON.stringify(next));
  else sessionStorage.removeItem(KEPT);
  for (const listener of listeners) listener();
}

/** Logs in on this tab. Other tabs keep who they are, so that several roles can be tried side by side. */
export function enter(login: Omit<Session, 'id'>): void {
  const before = session ?? read<Expired>(EXPIRED);
  const goesOn = before?.iss === login.iss && before.sub === login.sub && before.org === login.org;
  if (!goesOn) forget();
  sessionStorage.removeItem(EXPIRED);
  change({ ...login, id: goesOn ? before.id : crypto.randomUUID() });
}

/** Logs out: in every tab that has this session when someone `left`, here alone when the token `expired`. */
export function leave(why: 'left' | 'expired'): void {
  if (session && why === 'left') tabs.postMessage({ leaves: session.id } satisfies Message);
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

/** What who is logged in now types, in this tab. */
export function currentDrafts(): Drafts {
  const id = session?.id;
  return new Drafts(id, () => session?.id !== id);
}
