// Asks the AsyncAPI parser about a document on standard input, in a process of its own: the parser does not load in the
// realm of a test. Prints what it found, as JSON.
import parser from '@asyncapi/parser';

let text = '';
for await (const part of process.stdin) text += part;
const { document, diagnostics } = await new parser.Parser().parse(text);
const found = diagnostics.map(({ code, message, path, severity }) => ({ code, message, path, severity }));
const messages = document?.allMessages().all().length ?? 0;
const operations = document?.allOperations().all().length ?? 0;
process.stdout.write(JSON.stringify({ valid: document !== undefined, found, messages, operations }));
