import { mkdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import sparticuz from '@sparticuz/chromium';
import { type Browser, type BrowserContext, chromium, type Locator, type Page } from 'playwright-core';

/** Starts the browser: the one of CHROME, else a Chromium that is unpacked into the temporary folder the first time. */
export async function openBrowser(): Promise<Browser> {
  const executablePath = process.env.CHROME ?? (await unpacked());
  // Without a sandbox it also runs as root, as in a container; it only ever meets our own server.
  return chromium.launch({ executablePath, args: ['--no-sandbox'] });
}

/** How long another process may take to unpack, after which it is taken for dead. */
const STALE_MS = 60_000;

/** Test files run side by side and the archive always unpacks to the same place: one of them does it, the others wait. */
async function unpacked(): Promise<string> {
  const turn = join(tmpdir(), 'jalon-chromium-turn');
  for (;;) {
    try {
      mkdirSync(turn);
      break;
    } catch {
      const since = statSync(turn, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
      if (Date.now() - since > STALE_MS) rmSync(turn, { recursive: true, force: true });
      await pause(50);
    }
  }
  try {
    return await sparticuz.executablePath();
  } finally {
    rmSync(turn, { recursive: true, force: true });
  }
}

/** Labels are followed by their hints, which begin with a capital. */
const starting = (text: string) => new RegExp(`^${text.replaceAll(/[.()']/g, '.')}(?!\\p{Ll})`, 'u');

/** How a window looks: the width of its page in pixels, its theme, where on earth it is. */
export type Look = { width?: number; dark?: boolean; zone?: string };

/** Patience with the page, in milliseconds: two cores are shared with other tests. */
const PATIENCE = 8_000;

/** A window of somebody at the console, with all that went wrong in it. */
export class Window {
  /** What a healthy page never does: throw, complain on the console, break its own policy, ask another origin. */
  readonly faults: string[] = [];

  private constructor(
    readonly context: BrowserContext,
    readonly page: Page,
    readonly url: string,
  ) {}

  static async open(
    browser: Browser,
    url: string,
    { width = 1280, dark = false, zone = 'Europe/Paris' }: Look = {},
  ): Promise<Window> {
    const context = await browser.newContext({
      viewport: { width, height: 900 },
      colorScheme: dark ? 'dark' : 'light',
      locale: 'fr-FR',
      timezoneId: zone,
      reducedMotion: 'reduce',
    });
    context.setDefaultTimeout(PATIENCE);
    return new Window(context, await context.newPage(), url).#listening();
  }

  #listening(): this {
    this.context.on('request', (request) => {
      const { protocol, origin } = new URL(request.url());
      if (protocol.startsWith('http') && origin !== this.url) this.faults.push(`asks ${request.url()}`);
    });
    this.context.on('weberror', (error) => this.faults.push(`throws ${error.error().stack}`));
    this.context.on('console', (message) => {
      // The browser itself reports every answer of 400 and more, which some tests are about.
      const status = /^Failed to load resource: the server responded with a status of 4/.test(message.text());
      if (['error', 'warning'].includes(message.type()) && !status) this.faults.push(`says ${message.text()}`);
    });
    return this;
  }

  async goto(path: string): Promise<void> {
    await this.page.goto(this.url + path);
  }

  /** Logs in by choosing a role, as anybody would. */
  async logIn(role: string, { org, nom }: { org?: string; nom?: string } = {}): Promise<void> {
    await this.goto('/connexion');
    const card = this.page
      .getByRole('listitem')
      .filter({ has: this.page.getByRole('heading', { name: role, exact: true }) });
    if (org) await card.getByLabel('Organisation').fill(org);
    if (nom) await card.getByLabel('Nom').fill(nom);
    await card.getByRole('button').click();
    await this.heading('Tableau de bord').waitFor();
  }

  /** The heading of the screen. */
  heading(name: string | RegExp): Locator {
    return this.page.getByRole('heading', { level: 1, name });
  }

  /** Goes to a view of the dossier that is shown. */
  async view(name: string): Promise<void> {
    await this.page.getByRole('navigation', { name: 'Vues du dossier' }).getByRole('link', { name }).click();
  }

  /** Fills fields by their labels; a label may name its group first: « Document, Titre ». Choices are made by their text. */
  async fill(values: Readonly<Record<string, string | boolean | readonly string[]>>): Promise<void> {
    for (const [label, value] of Object.entries(values)) await this.#set(label, value);
  }

  async #set(label: string, value: string | boolean | readonly string[]): Promise<void> {
    const path = label.split(', ');
    const name = path.pop() as string;
    let place: Page | Locator = this.page.getByRole('main');
    for (const group of path) place = place.getByRole('group', { name: starting(group) }).first();
    if (typeof value === 'boolean') {
      await place.getByRole('checkbox', { name }).setChecked(value, { force: true });
      return;
    }
    if (typeof value !== 'string') {
      for (const one of value) await this.#set([...path, name, one].join(', '), true);
      return;
    }
    const field = place.getByLabel(starting(name)).first();
    if (await field.evaluate((element) => element.tagName === 'SELECT')) await field.selectOption({ label: value });
    else await field.fill(value);
  }

  /** Chooses a file where the form wants a document. */
  async attach(file: { name: string; text: string }, group = 'Document'): Promise<void> {
    const place = this.page.getByRole('group', { name: group, exact: true });
    const buffer = Buffer.from(file.text);
    await place.locator('input[type=file]').setInputFiles({ name: file.name, mimeType: 'text/plain', buffer });
    await place.getByText(/» calculée/).waitFor();
  }

  /** Chooses what to do from « Agir », fills its form and sends it; confirms when asked to. */
  async propose(label: string, values: Parameters<Window['fill']>[0] = {}): Promise<void> {
    await this.choose(label);
    await this.fill(values);
    await this.send();
    await this.page
      .getByRole('status')
      .filter({ hasText: `Enregistré : ${label}` })
      .waitFor();
  }

  async choose(label: string): Promise<void> {
    await this.page.getByRole('main').getByRole('link', { name: label, exact: true }).click();
    await this.page.getByRole('heading', { level: 2, name: label }).waitFor();
  }

  async send(): Promise<void> {
    await this.page.getByRole('button', { name: 'Enregistrer', exact: true }).click();
    const confirm = this.page.getByRole('button', { name: 'Confirmer et enregistrer' });
    const answered = this.page.locator('[role=alert], [role=status]').filter({ hasText: /\S/ }).first();
    await confirm.or(answered).first().waitFor();
    if (await confirm.isVisible()) await confirm.click();
  }

  async close(): Promise<void> {
    await this.context.close();
  }
}
