// SPDX-License-Identifier: MIT
// sign.mjs DIRECTORY: signs posts as their senders do, by the senders' own libraries, which
// stand in DIRECTORY/node_modules. Reads one JSON object a line, {"sender", "secret", "body",
// "at" (seconds), "id", "url", "fields"}, and answers each with a line: the headers that
// make it genuine. One process serves all tests.
import { createHmac } from "node:crypto";
import { createRequire } from "node:module";
import path from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const directory = path.resolve(process.argv[2]);
const libraries = createRequire(path.join(directory, "package.json"));
const octokit = await import(pathToFileURL(path.join(
  directory, "node_modules/@octokit/webhooks-methods/dist-node/index.js")));
const { Stripe } = libraries("stripe");
const twilio = libraries("twilio/lib/webhooks/webhooks");
const svix = libraries("svix");
const standardwebhooks = libraries("standardwebhooks");
const stableStringify = libraries("json-stable-stringify");

const stripe = new Stripe("sk_test_of_nobody");

function webhook(library, prefix, { secret, body, at, id }) {
  const signature = new library.Webhook(secret).sign(id, new Date(at * 1000), body);
  return { [`${prefix}-id`]: id, [`${prefix}-timestamp`]: String(at),
           [`${prefix}-signature`]: signature };
}

// As PromptLayer's documentation has it.
function promptlayerText(payload) {
  return stableStringify(payload).replace(/"([^"]+)"\s*:/g, '"$1": ')
    .replace(/,(?=(?:\s*[\{"\[]))/g, ", ");
}

const senders = {
  "standard-webhooks": (post) => webhook(standardwebhooks, "webhook", post),
  "svix": (post) => webhook(svix, "svix", post),
  "github": async ({ secret, body }) =>
    ({ "X-Hub-Signature-256": await octokit.sign(secret, body) }),
  "stripe": ({ secret, body, at }) => ({
    "Stripe-Signature": stripe.webhooks.generateTestHeaderString(
      { payload: body, secret, timestamp: at }) }),
  "twilio": ({ secret, url, fields }) =>
    ({ "X-Twilio-Signature": twilio.getExpectedTwilioSignature(secret, url, fields) }),
  "twilio-json": ({ secret, url, body }) => {
    const query = `bodySHA256=${twilio.getExpectedBodyHash(body)}`;
    return { query, "X-Twilio-Signature": twilio.getExpectedTwilioSignature(
      secret, `${url}?${query}`, {}) };
  },
  "promptlayer-javascript": ({ secret, body }) => ({
    "X-PromptLayer-Signature": createHmac("sha256", secret)
      .update(promptlayerText(JSON.parse(body))).digest("hex") }),
  // Not a signature: the text that one would be made over.
  "promptlayer-text": ({ body }) => promptlayerText(JSON.parse(body)),
};

for await (const line of createInterface({ input: process.stdin })) {
  const post = JSON.parse(line);
  console.log(JSON.stringify(await senders[post.sender](post)));
}
