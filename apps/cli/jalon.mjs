#!/usr/bin/env node
import { build } from '../../build.mjs';

// Silent: what the command prints may be read by another program.
const { cli } = await build({ silent: true });
if (!cli) throw new Error('apps/cli/main.ts is missing: there is nothing to run.');
process.setSourceMapsEnabled(true);
await import(cli);
