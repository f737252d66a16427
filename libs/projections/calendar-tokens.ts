import type { KeptStore } from './kept.ts';
import type { Row } from './tables.ts';

/** For whom a calendar is read: as a verified token said when the calendar's own was asked for. */
export type CalendarOwner = { iss: string; sub: string; roles: readonly string[]; org?: string };

/** A token by which a calendar is read. The token itself is known to its owner alone. */
export type CalendarToken = { id: string; owner: CalendarOwner; label?: string; createdAt: string };

/** The tokens of calendars, of which only digests are kept. Until it is revoked, one serves for ever. */
export class CalendarTokens {
  constructor(private readonly store: KeptStore) {}

  /** Keeps a token by its digest. */
  async keep({ id, owner, label, createdAt }: CalendarToken, hash: string): Promise<void> {
    const { iss, sub, roles, org } = owner;
    const row = {
      id,
      hash,
      iss,
      sub,
      revoked: 0,
      roles: JSON.stringify(roles),
      org: org ?? null,
      label: label ?? null,
    };
    const db = await this.store.db();
    await db
      .insertInto('calendar_tokens')
      .values({ ...row, created_at: createdAt })
      .execute();
  }

  /** The token of a digest; null when there is none, or no more. */
  async find(hash: string): Promise<CalendarToken | null> {
    const db = await this.store.db();
    const found = db.selectFrom('calendar_tokens').selectAll().where('hash', '=', hash).where('revoked', '=', 0);
    const row = await found.executeTakeFirst();
    return row ? tokenOf(row) : null;
  }

  /** The token of a digest that opened something once, and was revoked; null when there is none. */
  async revoked(hash: string): Promise<CalendarToken | null> {
    const db = await this.store.db();
    const found = db.selectFrom('calendar_tokens').selectAll().where('hash', '=', hash).where('revoked', '=', 1);
    const row = await found.executeTakeFirst();
    return row ? tokenOf(row) : null;
  }

  /** Those of one owner, or all, the oldest first. */
  async list(of?: Pick<CalendarOwner, 'iss' | 'sub'>): Promise<CalendarToken[]> {
    const db = await this.store.db();
    let select = db
      .selectFrom('calendar_tokens')
      .selectAll()
      .where('revoked', '=', 0)
      .orderBy('created_at')
      .orderBy('id');
    if (of) select = select.where('iss', '=', of.iss).where('sub', '=', of.sub);
    return (await select.execute()).map(tokenOf);
  }

  /** Revokes a token, if it is that owner's when one is named; gives whether there was one. */
  async revoke(id: string, of?: Pick<CalendarOwner, 'iss' | 'sub'>): Promise<boolean> {
    const db = await this.store.db();
    let revoke = db.updateTable('calendar_tokens').set({ revoked: 1 }).where('id', '=', id).where('revoked', '=', 0);
    if (of) revoke = revoke.where('iss', '=', of.iss).where('sub', '=', of.sub);
    return (await revoke.executeTakeFirst()).numUpdatedRows > 0n;
  }
}

function tokenOf({ id, iss, sub, roles, org, label, created_at }: Row): CalendarToken {
  return {
    id: String(id),
    owner: {
      iss: String(iss),
      sub: String(sub),
      roles: JSON.parse(String(roles)),
      ...(org == null ? {} : { org: String(org) }),
    },
    ...(label == null ? {} : { label: String(label) }),
    createdAt: String(created_at),
  };
}
