import type { Catalogue } from '@jalon/flow';
import type { Journal } from '@jalon/journal';
import type { Ranges } from './addresses.ts';
import type { Audience } from './audience.ts';
import { CursorRefused, cursorOf, type Place, placeAfter, placeOf, START } from './cursor.ts';
import { FILTER } from './declared.ts';
import { shakeHands } from './handshake.ts';
import type { Hub } from './hub.ts';
import { rotated, secretsOf } from './line.ts';
import type { Outbound } from './outbound.ts';
import type { Logged, Registry } from './registry.ts';
import { isSecret, makeSecret, signedHeaders } from './secrets.ts';
import { unknownChoices } from './selection.ts';
import type { DeliveryRow, WebhookRow } from './tables.ts';

/** Who set a webhook up, and what may be received by who they are. */
export type Owner = { iss: string; sub: string; audience: Audience };

/** What is asked of a webhook. Empty lists ask for everything. */
export type Wanted = {
  url?: string;
  types?: readonly string[];
  jalons?: readonly string[];
  secret?: string;
  state?: 'active' | 'disabled';
};

/** A webhook as its owner, or an administrator, is shown it: never its secret. */
export type WebhookView = {
  id: string;
  url: string;
  types?: string[];
  jalons?: string[];
  state: 'active' | 'disabled';
  reason?: string;
  owner: { iss: string; sub: string; roles: readonly string[]; org?: string };
  createdAt: string;
  /** Until when the secret before signs as well. */
  previousSecretUntil?: string;
  /** Requests a minute that the address agreed to. */
  rate?: number;
  /** How deliveries go: failures in a row, when they are tried again, how many wait, arrived, and were given up. */
  health: { failures: number; resumesAt?: string; pending: number; delivered: number; dead: number };
};

/** A delivery as the log shows it. */
export type DeliveryView = {
  /** Id of the fact and of the message. */
  id: string;
  type: string;
  dossier: string;
  revision: number;
  cursor: string;
  state: DeliveryRow['state'];
  nextAt?: string;
  attempts: { at: string; ms: number; status?: number; error?: string }[];
};

/** What is wrong with what is asked, each fault at the path of its member. */
export class WebhookInvalid extends Error {
  override readonly name = 'WebhookInvalid';
  constructor(readonly errors: readonly { path: string; message: string }[]) {
    super('Ce webhook est invalide.');
  }
}

/** There are as many as one owner may have. */
export class TooManyWebhooks extends Error {
  override readonly name = 'TooManyWebhooks';
}

/** What the use cases of webhooks are made of. */
export type WebhooksParts = {
  registry: Registry;
  outbound: Outbound;
  hub: Hub;
  journal: Pick<Journal, 'readAll'>;
  catalogue: Catalogue;
  clock: () => Date;
  uuid: () => string;
  randomBytes: (bytes: number) => Buffer;
  ranges: Ranges;
  /** Address of this server, whose host asks receivers whether they agree. */
  base: string;
  /** Told when settings changed. */
  changed: () => void;
};

const MOST = 50;
const LONGEST_URL = 2_000;

/** Delivers the dead letters again, and nothing else. */
export const DEAD_LETTERS = 'dead-letters';

/** Setting webhooks up, looking after them. Who may do what is decided by the caller. */
export class Webhooks {
  constructor(private readonly parts: WebhooksParts) {}

  /**
   * Sets a webhook up, once its address agreed. It begins with what is recorded from then on.
   * @throws WebhookInvalid, HandshakeRefused, TooManyWebhooks, DeliveriesUnavailable, JournalUnavailable
   */
  async register(owner: Owner, wanted: Wanted & { url: string }): Promise<{ webhook: WebhookRow; secret: string }> {
    const { registry, hub, clock, uuid, randomBytes } = this.parts;
    this.#check(wanted);
    if ((await registry.list(owner)).length >= MOST)
      throw new TooManyWebhooks(`Un appelant a ${MOST} webhooks au plus : supprimez-en.`);
    const { rate } = await this.#agreed(wanted.url);
    const secret = wanted.secret ?? makeSecret(randomBytes);
    const webhook: WebhookRow = {
      id: uuid(),
      iss: owner.iss,
      sub: owner.sub,
      audience: JSON.stringify(owner.audience),
      url: wanted.url,
      types: listed(wanted.types),
      jalons: listed(wanted.jalons),
      secret,
      old_secret: null,
      old_until: 0,
      rate,
      state: 'active',
      reason: null,
      created_at: clock().getTime(),
      cursor: cursorOf(await hub.now()),
      generation: 1,
      version: 1,
      failures: 0,
      resume_at: 0,
    };
    await registry.add(webhook);
    this.parts.changed();
    return { webhook, secret };
  }

  /**
   * Changes what is given. Another address must agree as well. `owner` is who changes it, as whom it receives from then on;
   * absent for who may only disable it and let it go on.
   * @throws WebhookInvalid, HandshakeRefused, DeliveriesUnavailable
   */
  async change(webhook: WebhookRow, wanted: Wanted, owner?: Owner): Promise<WebhookRow | undefined> {
    this.#check(wanted);
    const { url, types, jalons, state } = wanted;
    const change: Partial<WebhookRow> = owner ? { audience: JSON.stringify(owner.audience) } : {};
    if (url !== undefined && url !== webhook.url) {
      change.url = url;
      change.rate = (await this.#agreed(url)).rate;
    }
    if (types) change.types = listed(types);
    if (jalons) change.jalons = listed(jalons);
    if (state === 'disabled') Object.assign(change, { state, reason: null });
    if (state === 'active') Object.assign(change, { state, reason: null, failures: 0, resume_at: 0 });
    return this.#changed(this.parts.registry.change(webhook.id, change));
  }

  /** Replaces the secret; the one before signs as well for a day. */
  async rotate(webhook: WebhookRow): Promise<{ webhook: WebhookRow | undefined; secret: string }> {
    const secret = makeSecret(this.parts.randomBytes);
    const change = rotated(webhook, secret, this.parts.clock().getTime());
    return { webhook: await this.#changed(this.parts.registry.change(webhook.id, change)), secret };
  }

  async remove({ id }: WebhookRow): Promise<void> {
    await this.#changed(this.parts.registry.remove(id));
  }

  /** Sends a message that tells of nothing, signed like every other, and says what came of it. */
  async test(webhook: WebhookRow): Promise<{ delivered: boolean; status?: number; error?: string; ms: number }> {
    const { outbound, clock, uuid, base } = this.parts;
    const at = clock();
    const id = uuid();
    const body = JSON.stringify({
      specversion: '1.0',
      id,
      source: `${base}/api/webhooks`,
      type: 'fr.jalon.webhook.essai.v1',
      subject: webhook.id,
      time: at.toISOString(),
      datacontenttype: 'application/json',
      data: {},
    });
    const headers = {
      'content-type': 'application/cloudevents+json; charset=utf-8',
      ...signedHeaders(secretsOf(webhook, at.getTime()), id, at, body),
    };
    const { status, error, ms } = await outbound.send('POST', webhook.url, headers, body);
    const delivered = status !== null && status >= 200 && status < 300;
    return { delivered, ...(status === null ? {} : { status }), ...(error === null ? {} : { error }), ms };
  }

  /**
   * Delivers again: everything from a fact on, named by its cursor; everything recorded since an instant; everything
   * (`start`); or the dead letters.
   * @throws WebhookInvalid when `from` is none of these; DeliveriesUnavailable, JournalUnavailable
   */
  async replay({ id }: WebhookRow, from: string): Promise<void> {
    const { registry } = this.parts;
    if (from === DEAD_LETTERS) await this.#changed(registry.replayDead(id));
    else await this.#changed(registry.replay(id, cursorOf(await this.#placeBefore(from))));
  }

  /** The log of a webhook, latest first; `next` goes on with earlier ones. */
  async log(
    { id }: WebhookRow,
    { before, state, limit }: { before?: number; state?: DeliveryRow['state']; limit: number },
  ): Promise<{ items: DeliveryView[]; next?: number }> {
    const asked = { ...(before === undefined ? {} : { before }), ...(state === undefined ? {} : { state }) };
    const found = await this.parts.registry.log(id, { ...asked, limit: limit + 1 });
    const items = found.slice(0, limit).map(deliveryView);
    const last = found[limit - 1];
    return found.length > limit && last ? { items, next: last.seq } : { items };
  }

  /** A webhook as it is shown. */
  async view(webhook: WebhookRow): Promise<WebhookView> {
    const { id, url, types, jalons, state, reason, iss, sub, created_at, old_secret, old_until, rate } = webhook;
    const now = this.parts.clock().getTime();
    const audience = JSON.parse(webhook.audience) as Audience;
    const { failures, resume_at } = webhook;
    return {
      id,
      url,
      ...(types === null ? {} : { types: JSON.parse(types) }),
      ...(jalons === null ? {} : { jalons: JSON.parse(jalons) }),
      state,
      ...(reason === null ? {} : { reason }),
      owner: { iss, sub, ...audience },
      createdAt: instant(created_at),
      ...(old_secret !== null && now < old_until ? { previousSecretUntil: instant(old_until) } : {}),
      ...(rate === null ? {} : { rate }),
      health: {
        failures,
        ...(resume_at > now ? { resumesAt: instant(resume_at) } : {}),
        ...(await this.parts.registry.counts(id)),
      },
    };
  }

  async #changed<T>(change: Promise<T>): Promise<T> {
    const done = await change;
    this.parts.changed();
    return done;
  }

  #agreed(url: string) {
    return shakeHands(this.parts.outbound, url, new URL(this.parts.base).hostname);
  }

  #check({ url, types, jalons, secret }: Wanted): void {
    const errors: { path: string; message: string }[] = [];
    const fault = url === undefined ? undefined : faultOf(url, this.parts.ranges);
    if (fault) errors.push({ path: '/url', message: fault });
    const selection = { ...(types ? { types } : {}), ...(jalons ? { jalons } : {}) };
    for (const { member, value } of unknownChoices(selection, this.parts.catalogue)) {
      const place = (selection[member] ?? []).indexOf(value);
      const wanted =
        member === 'types' ? 'un type de fait (« j0.acceptee ») ou une étape (« j2.* »)' : 'un jalon (« J0 »)';
      errors.push({ path: `/${member}/${place}`, message: `On attend ${wanted} d’une procédure d’ici.` });
    }
    if (secret !== undefined && !isSecret(secret))
      errors.push({ path: '/secret', message: '« whsec_ » est attendu, suivi de 24 à 64 octets en base64.' });
    if (errors.length > 0) throw new WebhookInvalid(errors);
  }

  /** The place right before what is to be delivered again. */
  async #placeBefore(from: string): Promise<Place | null> {
    const at = Date.parse(from);
    if (/^\d{4}-\d\d-\d\dT/.test(from) && Number.isFinite(at)) return this.#placeAt(at);
    try {
      const place = placeOf(from);
      if (place === null || place.before === null) return null;
      return { ...place, position: place.before, hash: '' };
    } catch (error) {
      if (!(error instanceof CursorRefused)) throw error;
      const message = `On attend un curseur, un instant (RFC 3339), « ${START} » ou « ${DEAD_LETTERS} ».`;
      throw new WebhookInvalid([{ path: '/from', message }]);
    }
  }

  async #placeAt(at: number): Promise<Place | null> {
    let place: Place | null = null;
    for await (const page of this.parts.journal.readAll(null, FILTER))
      for (const event of page) {
        if (Date.parse(event.envelope.recordedAt) >= at) return place;
        place = placeAfter(event, place?.position ?? null);
      }
    return place;
  }
}

/** What is wrong with an address, in a sentence. */
function faultOf(text: string, ranges: Ranges): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || text.length > LONGEST_URL) return 'Une adresse « https://… » est attendue.';
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && ranges.length > 0))
    return 'Une adresse « https://… » est attendue.';
  if (url.username !== '' || url.password !== '' || url.hash !== '')
    return 'L’adresse ne porte ni identifiants ni fragment.';
  return undefined;
}

function deliveryView({ event, type, dossier, revision, cursor, state, next_at, tries }: Logged): DeliveryView {
  return {
    id: event,
    type,
    dossier,
    revision,
    cursor,
    state,
    ...(state === 'pending' && next_at > 0 ? { nextAt: instant(next_at) } : {}),
    attempts: tries.map(({ at, ms, status, error }) => ({
      at: instant(at),
      ms,
      ...(status === null ? {} : { status }),
      ...(error === null ? {} : { error }),
    })),
  };
}

/** Null for a list that asks for everything. */
function listed(items: readonly string[] | undefined): string | null {
  return items && items.length > 0 ? JSON.stringify([...new Set(items)]) : null;
}

function instant(ms: number): string {
  return new Date(ms).toISOString();
}
