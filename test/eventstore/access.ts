// Who may do what, where the server asks for passwords (TLS): access control lists of streams, the default one in
// $settings, and that of $all, as a real server keeps them.
import { nameOf } from './protocol.ts';
import type { Store } from './store.ts';

/** A user beside admin, and the groups that it is in. */
export type User = { password: string; groups?: readonly string[] };

/** Read, write, delete a stream; read, write its metadata. */
export type Right = '$r' | '$w' | '$d' | '$mr' | '$mw';

type Acl = Partial<Record<Right, string | readonly string[]>>;
type Call = { metadata: { get(key: string): unknown[] } };
type Named = Parameters<typeof nameOf>[0];

const EVERYBODY = '$all';
const ADMINS = '$admins';

/** The guard of a store. Without users nobody is asked who he is, as in the real server's insecure mode. */
export class Access {
  constructor(
    private readonly store: Store,
    private readonly users: Readonly<Record<string, User>> | undefined,
  ) {}

  /** Why a call may not do this to a stream; null when it may. */
  refused(call: Call, right: Right, stream: string): 'access-denied' | 'unauthenticated' | null {
    if (this.users === undefined) return null;
    const roles = this.#rolesOf(call, this.users);
    if (roles === null) return 'unauthenticated';
    if (roles.includes(ADMINS)) return null;
    const [of, asked] = stream.startsWith('$$') ? [stream.slice(2), right === '$r' ? '$mr' : '$mw'] : [stream, right];
    const allowed = this.#allowed(of, asked as Right);
    return roles.some((role) => allowed.includes(role)) ? null : 'access-denied';
  }

  /** The same for a read of a stream, or of the whole log. */
  refusedRead(call: Call, stream: Named): ReturnType<Access['refused']> {
    return this.refused(call, '$r', stream === undefined ? '$all' : nameOf(stream));
  }

  #allowed(stream: string, right: Right): readonly string[] {
    const own = (this.store.metadata(stream).$acl as Acl | undefined)?.[right];
    if (own !== undefined) return [own].flat();
    if (stream.startsWith('$')) return [ADMINS];
    const settings = this.store.lastOf('$settings') as { $userStreamAcl?: Acl } | null;
    return [settings?.$userStreamAcl?.[right] ?? EVERYBODY].flat();
  }

  /** Null for a wrong name or password; nobody in particular without them. */
  #rolesOf(call: Call, users: Readonly<Record<string, User>>): string[] | null {
    const [header] = call.metadata.get('authorization');
    if (header === undefined) return [EVERYBODY];
    const [login = '', password] = Buffer.from(String(header).replace(/^Basic /, ''), 'base64')
      .toString()
      .split(':');
    const user: User | undefined = login === 'admin' ? { password: 'changeit', groups: [ADMINS] } : users[login];
    return user?.password === password ? [EVERYBODY, login, ...(user?.groups ?? [])] : null;
  }
}
