import { randomBytes, randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { HTTP } from 'cloudevents';
import { Webhook } from 'standardwebhooks';
import { AGENT, Delivering } from '../../test/delivering.ts';
import { until } from '../../test/eventually.ts';
import { everything } from '../../test/leaving.ts';
import { avis, note, Office, PEOPLE, piece } from '../../test/office.ts';
import { Receiver } from '../../test/receiver.ts';
import { DEAD_LETTERS, openDeliveries, WebhookInvalid } from './index.ts';

const { demandeur, agent, chef } = PEOPLE;
const HOUR = 3_600_000;

let office: Office;
let delivering: Delivering;
let receiver: Receiver;
beforeEach(async () => {
  office = await Office.open();
  // Receivers check that messages are fresh.
  office.now = new Date();
  delivering = new Delivering(office).start();
  receiver = await Receiver.open();
});
afterEach(async () => {
  await delivering.stop();
  await receiver.close();
  await office.close();
  expect(delivering.errors).toEqual([]);
});

/** So many facts, each in its dossier in turn. */
async function record(count: number, dossiers = 1): Promise<void> {
  const ids = await Promise.all(
    Array.from({ length: dossiers }, async () => (await office.open(demandeur)).dossier.id),
  );
  for (let i = dossiers; i < count; i += 1)
    await office.advance(demandeur, ids[i % dossiers] as string, piece(`p${i}`));
}

const recordedIds = async () => (await everything(office.journal)).map(({ envelope }) => envelope.id);
const arrived = (count: number, at = receiver) => until(async () => at.received.length >= count);

/** What came, without repetitions; repetitions follow what they repeat. */
function once(ids: readonly string[]): string[] {
  return [...new Set(ids)];
}

/** Expects every fact to have come, those of each dossier in order. */
async function expectAllInOrder(at = receiver): Promise<void> {
  const events = await everything(office.journal);
  const ids = once(at.ids);
  expect(ids.toSorted()).toEqual(events.map(({ envelope }) => envelope.id).toSorted());
  for (const dossier of new Set(events.map(({ envelope }) => envelope.stream))) {
    const own = events.filter(({ envelope }) => envelope.stream === dossier).map(({ envelope }) => envelope.id);
    expect(ids.filter((id) => own.includes(id))).toEqual(own);
  }
}

describe('A message', () => {
  test('is a CloudEvent signed as Standard Webhooks says, which real receivers accept', async () => {
    const { webhook, secret } = await delivering.webhooks.register(AGENT, { url: receiver.url });
    await record(1);
    await arrived(1);
    const [{ headers, body } = { headers: {}, body: '' }] = receiver.received;
    expect(headers['content-type']).toBe('application/cloudevents+json; charset=utf-8');
    const verified = new Webhook(secret).verify(body, headers as Record<string, string>);
    const [event] = await everything(office.journal);
    expect(verified).toMatchObject({ id: event?.envelope.id, type: 'fr.jalon.demande.deposee.v1', specversion: '1.0' });
    expect(headers['webhook-id']).toBe(event?.envelope.id);
    const read = HTTP.toEvent({ headers, body });
    expect(read).toMatchObject({ id: event?.envelope.id, subject: event?.envelope.stream.slice('dossier-'.length) });
    expect(() => new Webhook(secret).verify(`${body} `, headers as Record<string, string>)).toThrow();
    expect(await delivering.row(webhook)).toMatchObject({ state: 'active', failures: 0 });
  });

  test('is signed with the secret before as well for a day after it was replaced', async () => {
    const { webhook, secret } = await delivering.webhooks.register(AGENT, { url: receiver.url });
    const { secret: next } = await delivering.webhooks.rotate(webhook);
    expect(next).not.toBe(secret);
    const verifies = (of: string) => {
      const { headers, body } = receiver.received.at(-1) ?? { headers: {}, body: '' };
      try {
        new Webhook(of).verify(body, headers as Record<string, string>);
        return true;
      } catch {
        return false;
      }
    };
    await record(1);
    await arrived(1);
    expect([verifies(secret), verifies(next)]).toEqual([true, true]);
    const realNow = Date.now;
    delivering.pass(25 * HOUR);
    await record(1);
    await arrived(2);
    Date.now = () => office.now.getTime();
    try {
      expect([verifies(secret), verifies(next)]).toEqual([false, true]);
    } finally {
      Date.now = realNow;
    }
  });

  test('goes only to those who may receive it, and asked for it', async () => {
    const others = await Promise.all([Receiver.open(), Receiver.open(), Receiver.open()]);
    const [own, press, chosen] = others as [Receiver, Receiver, Receiver];
    const owner = (role: string, org?: string) => ({
      ...AGENT,
      sub: role,
      audience: { roles: [role], ...(org ? { org } : {}) },
    });
    await delivering.register(receiver.url);
    await delivering.register(own.url, {}, owner('demandeur', 'Ateliers du Faou'));
    await delivering.register(press.url, {}, owner('demandeur', 'Ailleurs'));
    await delivering.register(chosen.url, { types: ['dossier.*'], jalons: [] });
    await office.led(['demandeur', piece('plan')], ['chef', avis('favorable')], ['agent', note('À voir.')]);
    await arrived(4);
    await arrived(2, own);
    await arrived(1, chosen);
    expect(own.events.map(({ type }) => type)).toEqual([
      'fr.jalon.demande.deposee.v1',
      'fr.jalon.demande.piece-recue.v1',
    ]);
    expect(chosen.events.map(({ type }) => type)).toEqual(['fr.jalon.dossier.note-ajoutee.v1']);
    expect(press.received).toEqual([]);
    await Promise.all(others.map((each) => each.close()));
  });

  test('of a fact recorded before the webhook was set up is not sent', async () => {
    await record(5);
    const { id } = await delivering.register(receiver.url);
    const { event } = await office.open(demandeur);
    await arrived(1);
    await until(async () => (await delivering.counts({ id })).delivered === 1);
    expect(receiver.ids).toEqual([event.envelope.id]);
  });
});

describe('Setting up', () => {
  test('asks the address first whether it agrees', async () => {
    await delivering.register(receiver.url);
    expect(receiver.handshakes).toMatchObject([{ 'webhook-request-origin': 'jalon.example' }]);
  });

  test.each<[string, Receiver['agrees']]>([
    ['does not answer as the CloudEvents handshake says', { status: 200 }],
    ['agrees to another origin', { status: 200, headers: { 'webhook-allowed-origin': 'ailleurs.example' } }],
    ['refuses', { status: 405 }],
    ['leads elsewhere', { status: 302, headers: { location: 'http://127.0.0.1/', 'webhook-allowed-origin': '*' } }],
  ])('is refused when the address %s', async (_, agrees) => {
    receiver.agrees = agrees;
    await expect(delivering.register(receiver.url)).rejects.toThrow(/L’adresse (n’)?a /);
    expect(await delivering.registry.list()).toEqual([]);
  });

  test('is refused when nobody is there, or nobody answers', async () => {
    const nobody = await Receiver.open();
    await nobody.close();
    await expect(delivering.register(nobody.url)).rejects.toThrow('La connexion a échoué (ECONNREFUSED).');
  });

  test.each([
    ['ftp://exemple.fr/', '/url'],
    ['https://u:p@exemple.fr/', '/url'],
    ['https://exemple.fr/#x', '/url'],
    ['exemple', '/url'],
  ])('names what is wrong with %s', async (url, path) => {
    const refused = delivering.register(url, { types: ['x.*'], secret: 'whsec_court' });
    await expect(refused).rejects.toThrow(WebhookInvalid);
    const { errors } = (await refused.catch((fault: unknown) => fault)) as WebhookInvalid;
    expect(errors.map(({ path }) => path)).toEqual([path, '/types/0', '/secret']);
  });

  test('keeps to the rate that the address agreed to', async () => {
    receiver.agrees = { status: 200, headers: { 'webhook-allowed-origin': '*', 'webhook-allowed-rate': '60' } };
    const webhook = await delivering.register(receiver.url);
    await record(3, 3);
    await arrived(1);
    await until(async () => (await delivering.counts(webhook)).pending === 2);
    delivering.pass(999);
    await until(async () => (await delivering.counts(webhook)).delivered === 1);
    expect(receiver.received).toHaveLength(1);
    delivering.pass(1);
    await arrived(2);
    delivering.pass(1_000);
    await arrived(3);
  });
});

describe('A receiver that fails', () => {
  test.each<[string, Receiver['answer']]>([
    ['answers 500', (_, count) => ({ status: count % 3 === 0 ? 204 : 500 })],
    ['answers 301', (_, count) => (count % 2 ? { status: 301, headers: { location: '/ailleurs' } } : { status: 200 })],
    ['cuts the connection', (_, count) => (count % 2 ? 'reset' : { status: 200 })],
    ['hangs', (_, count) => (count % 4 === 1 ? 'hang' : { status: 200 })],
  ])(
    '%s: every fact arrives in the end, in order, repeated only with the same id',
    async (_, answer) => {
      receiver.answer = answer;
      const webhook = await delivering.register(receiver.url);
      await record(6, 2);
      await delivering.passUntil(async () => (await delivering.counts(webhook)).delivered === 6);
      await expectAllInOrder();
      expect(receiver.received.length).toBeGreaterThan(6);
      // A fact waits for the one before it in its dossier.
      const bySubject = new Map<string, number>();
      for (const { subject, revision } of receiver.events) {
        expect(revision).toBeGreaterThanOrEqual(bySubject.get(subject) ?? 0);
        bySubject.set(subject, revision);
      }
    },
    20_000,
  );

  test('is tried again within five seconds, then after twice as long each time', async () => {
    receiver.answer = () => ({ status: 500 });
    const { id } = await delivering.register(receiver.url);
    await record(1);
    const pauses: number[] = [];
    for (let tries = 1; tries <= 4; tries += 1) {
      const now = office.now.getTime();
      await until(async () => (await delivering.registry.log(id, { limit: 1 }))[0]?.attempts === tries);
      const [delivery] = await delivering.registry.log(id, { limit: 1 });
      pauses.push((delivery?.next_at ?? 0) - now);
      delivering.pass(pauses.at(-1) as number);
    }
    expect(pauses).toEqual([4_000, 8_000, 16_000, 32_000]);
  });

  test('429 and 503 are left alone as long as they ask', async () => {
    for (const status of [429, 503]) {
      const before = receiver.received.length;
      receiver.answer = () => ({ status, headers: { 'retry-after': '120' } });
      const webhook = await delivering.register(receiver.url);
      await record(2, 2);
      await arrived(before + 1);
      await until(async () => (await delivering.row(webhook)).resume_at > office.now.getTime());
      const asked = receiver.received.length;
      delivering.pass(119_000);
      await record(1);
      await until(async () => (await delivering.counts(webhook)).pending === 3);
      expect(receiver.received).toHaveLength(asked);
      receiver.answer = () => ({ status: 204 });
      delivering.pass(2_000);
      await until(async () => (await delivering.counts(webhook)).delivered === 3);
      await delivering.webhooks.remove(webhook);
    }
  });

  test('410 disables the webhook, which goes on from there once it is enabled again', async () => {
    receiver.answer = () => ({ status: 410 });
    const webhook = await delivering.register(receiver.url);
    await record(3);
    await until(async () => (await delivering.row(webhook)).state === 'disabled');
    const { state, reason } = await delivering.webhooks.view(await delivering.row(webhook));
    expect([state, reason]).toEqual(['disabled', 'L’adresse a répondu 410 : elle ne veut plus rien recevoir.']);
    await record(2);
    delivering.pass(HOUR);
    expect(receiver.received).toHaveLength(1);
    receiver.answer = () => ({ status: 204 });
    await delivering.webhooks.change(await delivering.row(webhook), { state: 'active' });
    await until(async () => (await delivering.counts(webhook)).delivered === 5);
    await expectAllInOrder();
  });

  test('that was down for an hour gets everything within seconds of its return, without being hammered meanwhile', async () => {
    const { port } = receiver;
    const webhook = await delivering.register(receiver.url);
    await record(2, 2);
    await arrived(2);
    await receiver.close();
    for (let minutes = 0; minutes < 60; minutes += 1) {
      if (minutes % 10 === 0) await record(2);
      delivering.pass(60_000);
      await until(async () => (await delivering.counts(webhook)).pending === 2 * (Math.floor(minutes / 10) + 1));
    }
    const tries = (await delivering.registry.log(webhook.id, { limit: 50 })).flatMap(({ tries }) => tries);
    // One request at a time finds out whether it is back.
    expect(tries.length).toBeLessThan(40);
    const back = await Receiver.open(port);
    await delivering.passUntil(async () => (await delivering.counts(webhook)).pending === 0, 60_000);
    expect(once([...receiver.ids, ...back.ids]).toSorted()).toEqual((await recordedIds()).toSorted());
    expect(back.ids).toEqual(once(back.ids));
    await back.close();
    receiver = await Receiver.open();
  }, 30_000);

  test('for three days is given up: dead letters are kept, and delivered again when asked', async () => {
    receiver.answer = () => ({ status: 500 });
    const webhook = await delivering.register(receiver.url);
    await record(2);
    await delivering.passUntil(async () => (await delivering.counts(webhook)).dead === 2, HOUR);
    const dead = await delivering.registry.log(webhook.id, { state: 'dead', limit: 10 });
    for (const { tries } of dead) {
      expect(tries.length).toBeGreaterThan(10);
      expect((tries.at(-1)?.at ?? 0) - (tries[0]?.at ?? 0)).toBeGreaterThan(70 * HOUR);
    }
    receiver.answer = () => ({ status: 204 });
    await delivering.webhooks.replay(await delivering.row(webhook), DEAD_LETTERS);
    await delivering.passUntil(async () => (await delivering.counts(webhook)).delivered === 2, HOUR);
    expect(receiver.ids.slice(-2)).toEqual(await recordedIds());
  }, 30_000);

  test('slows no other down', async () => {
    const quick = await Receiver.open();
    receiver.answer = () => 'hang';
    await delivering.register(receiver.url);
    await delivering.register(quick.url);
    await record(60, 30);
    await arrived(60, quick);
    await expectAllInOrder(quick);
    await quick.close();
  });
});

describe('Replaying', () => {
  test('delivers again from a fact, from an instant or from the start, with the same ids', async () => {
    const webhook = await delivering.register(receiver.url);
    await record(3);
    office.now = new Date(office.now.getTime() + HOUR);
    const instant = office.now.toISOString();
    await record(2);
    await arrived(5);
    const ids = await recordedIds();
    const { items } = await delivering.webhooks.log(webhook, { limit: 10 });
    const cursor = items.find(({ id }) => id === ids[1])?.cursor as string;
    for (const [from, again] of [
      [cursor, ids.slice(1)],
      [instant, ids.slice(3)],
      ['start', ids],
    ] as const) {
      const before = receiver.received.length;
      await delivering.webhooks.replay(await delivering.row(webhook), from);
      await arrived(before + again.length);
      expect(receiver.ids.slice(before).toSorted()).toEqual(again.toSorted());
      await until(async () => (await delivering.counts(webhook)).delivered === 5);
    }
    await expect(delivering.webhooks.replay(webhook, 'hier')).rejects.toThrow(WebhookInvalid);
  });

  test('does not lose what comes meanwhile', async () => {
    const webhook = await delivering.register(receiver.url);
    await record(10, 5);
    await arrived(10);
    await Promise.all([delivering.webhooks.replay(await delivering.row(webhook), 'start'), record(10, 5)]);
    await until(async () => {
      const { pending, delivered } = await delivering.counts(webhook);
      return pending === 0 && delivered === 20 && receiver.received.length >= 30;
    });
    await expectAllInOrder();
  });
});

describe('The log of deliveries', () => {
  test('tells of every attempt, latest first, page by page', async () => {
    receiver.answer = (_, count) => ({ status: count === 1 ? 500 : 204 });
    const webhook = await delivering.register(receiver.url);
    await record(5);
    await delivering.passUntil(async () => (await delivering.counts(webhook)).delivered === 5);
    const first = await delivering.webhooks.log(webhook, { limit: 3 });
    const second = await delivering.webhooks.log(webhook, { limit: 3, before: first.next as number });
    expect(second.next).toBeUndefined();
    const all = [...first.items, ...second.items];
    expect(all.map(({ id }) => id)).toEqual((await recordedIds()).reverse());
    expect(all.at(-1)).toMatchObject({
      type: 'demande.deposee',
      state: 'delivered',
      attempts: [{ status: 500 }, { status: 204 }],
    });
    expect((await delivering.webhooks.log(webhook, { limit: 3, state: 'dead' })).items).toEqual([]);
  });

  test('forgets what was delivered a month ago, and no dead letter', async () => {
    const webhook = await delivering.register(receiver.url);
    await record(1);
    await until(async () => (await delivering.counts(webhook)).delivered === 1);
    await delivering.registry.purge(office.now.getTime());
    expect((await delivering.counts(webhook)).delivered).toBe(1);
    await delivering.registry.purge(office.now.getTime() + 1);
    expect(await delivering.registry.log(webhook.id, { limit: 5 })).toEqual([]);
  });
});

describe('Going on after an end', () => {
  test('delivers what was pending, and what was recorded meanwhile', async () => {
    receiver.answer = () => ({ status: 500 });
    const webhook = await delivering.register(receiver.url);
    await record(3);
    await until(async () => (await delivering.counts(webhook)).pending === 3);
    await delivering.stop();
    await record(3);
    receiver.answer = () => ({ status: 204 });
    delivering = new Delivering(office).start();
    await delivering.passUntil(async () => (await delivering.counts(webhook)).delivered === 6);
    await expectAllInOrder();
  });

  test('over a log that was restored delivers what was recorded since, and nothing again that it knows was delivered', async () => {
    const webhook = await delivering.register(receiver.url);
    await record(5);
    await until(async () => (await delivering.counts(webhook)).delivered === 5);
    await delivering.stop();
    const drawn = randomBytes(16).toString('hex');
    const restored = await Office.open({ entropy: { uuid: randomUUID, salt: () => drawn } });
    restored.now = new Date(office.now.getTime() + 60_000);
    for (const { position: _, ...event } of (await everything(office.journal)).slice(0, 3))
      await restored.journal.append(event.envelope.stream, event.envelope.revision - 1, [event]);
    delivering = new Delivering(restored, { store: openDeliveries(office.folder) }).start();
    const { event } = await restored.open(demandeur);
    await arrived(6);
    await until(async () => (await delivering.counts(webhook)).delivered === 6);
    expect(receiver.ids.slice(5)).toEqual([event.envelope.id]);
    await delivering.stop();
    await restored.close();
    delivering = new Delivering(office).start();
  });

  test('leaves nobody anything when the webhook is gone, disabled or its owner is no party any more', async () => {
    const webhook = await delivering.register(receiver.url);
    await delivering.webhooks.remove(webhook);
    const disabled = await delivering.register(receiver.url);
    await delivering.webhooks.change(disabled, { state: 'disabled' });
    await office.open(agent);
    await office.open(chef).catch(() => undefined);
    await delivering.stop();
    delivering = new Delivering(office).start();
    const watching = await Receiver.open();
    await delivering.register(watching.url);
    await office.open(demandeur);
    await arrived(1, watching);
    expect(receiver.received).toEqual([]);
    await watching.close();
  });
});
