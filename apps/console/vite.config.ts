import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';

const root = fileURLToPath(new URL('.', import.meta.url));

/** Where `npm run dev:console` finds the API. */
const API = process.env.JALON_API ?? 'http://127.0.0.1:3000';

/** Those that components of the library name in their own sources. */
const LIBRARY_ICONS = ['fr-icon-theme-fill', 'fr-icon-arrow-right-line'];

/** Of the design system's thousand icons, those that the sources name: the style sheet is a third as large. */
function namedIcons(): Plugin {
  const RULE = /\.(fr-icon-[\w-]+)::before,\s*\.\1::after \{[^}]*\}/g;
  return {
    name: 'jalon-named-icons',
    enforce: 'pre',
    transform(code, id) {
      if (!id.endsWith('/utility/icons/icons.main.css')) return null;
      const sources = readdirSync(root).filter((file) => file.endsWith('.tsx'));
      const named = new Set(
        LIBRARY_ICONS.concat(
          sources.flatMap((file) => readFileSync(join(root, file), 'utf8').match(/fr-icon-[\w-]+/g) ?? []),
        ),
      );
      return [...code.matchAll(RULE)].flatMap(([rule, name]) => (named.has(name as string) ? [rule] : [])).join('\n');
    },
  };
}

export default defineConfig({
  root,
  plugins: [namedIcons()],
  publicDir: false,
  build: {
    target: 'es2022',
    // The Content-Security-Policy lets nothing in that is not a file of this server: neither data: fonts nor scripts in line.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 1000,
  },
  server: {
    proxy: Object.fromEntries(['/api', '/version', '/health', '/problems'].map((path) => [path, API])),
  },
});
