import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import serveFiles from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import type { Config } from './config.ts';

/** The addresses that the console answers: each is the same page, which shows the screen of its address. */
export const SCREENS = [
  '/',
  '/connexion',
  '/retour',
  '/accessibilite',
  '/dossiers',
  '/dossiers/:id',
  '/dossiers/:id/:view',
  '/dossiers/:id/:view/:item',
  '/echeances',
  '/registre',
  '/statistiques',
  '/abonnements',
  '/abonnements/:webhook',
  '/procedures',
  '/procedures/:name/:version',
] as const;

/** Where the built console is: beside the bundle of the server, or in dist/ when the server runs from its sources. */
const PLACES = ['./console/', '../../dist/console/'].map((place) => fileURLToPath(new URL(place, import.meta.url)));

/**
 * Serves the console, when it was built: its page at every address of a screen, its files under /assets. The page may
 * load nothing but files of this server, no script in line, and speak to nobody else but the issuer of its tokens.
 */
export async function serveConsole(fastify: FastifyInstance, config: Config): Promise<void> {
  const folder = PLACES.find((place) => existsSync(`${place}index.html`));
  if (folder === undefined) return;
  await fastify.register(serveFiles, {
    root: `${folder}assets`,
    prefix: '/assets/',
    decorateReply: false,
    preCompressed: true,
    index: false,
    // Their names change with what is in them.
    cacheControl: false,
    setHeaders: (reply) => void reply.setHeader('cache-control', 'public, max-age=31536000, immutable'),
  });
  const policy = contentSecurityPolicy(config);
  for (const url of SCREENS)
    fastify.get(url, { config: { public: true } }, async (_request, reply) => {
      reply.header('content-security-policy', policy).header('cache-control', 'no-cache');
      return reply.type('text/html; charset=utf-8').send(await readFile(`${folder}index.html`));
    });
}

/** The only two styles in line, by which the design system tells the browser the theme: SHA-256 of each, in base64. */
const COLOR_SCHEMES = ['light', 'dark'].map((theme) =>
  createHash('sha256').update(`:root { color-scheme: ${theme}; }`).digest('base64'),
);

function contentSecurityPolicy({ OIDC_ISSUER }: Config): string {
  const issuer = OIDC_ISSUER === undefined ? '' : ` ${new URL(OIDC_ISSUER).origin}`;
  return [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self' ${COLOR_SCHEMES.map((style) => `'sha256-${style}'`).join(' ')}`,
    "img-src 'self' data:",
    "font-src 'self'",
    `connect-src 'self'${issuer}`,
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}
