/* SPDX-License-Identifier: MIT */
/*
 * Each scheme that signs, with posts that the senders' own programs signed: what was signed is
 * taken, and nothing else: any one bit of body, header, URL or secret that changes is refused, and
 * so is a time that is too far away.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "schemes.h"

enum { HEADERS = 3, TEXT_BYTES = 512, NOW_S = 1700000000, TOLERANCE_S = 300 };

#define BODY "{\"id\": \"evt_1\", \"type\": \"test.event\", \"n\": 2432232314}"

struct header {
    const char *name;
    const char *value;
};

/* Texts are the configuration's own in the daemon, so they are not constant there. */
struct options {
    const char *header;
    enum config_digest algorithm;
    enum config_encoding encoding;
    const char *prefix;
    const char *signed_text;
    const char *timestamp_header;
    const char *id_header;
};

struct signed_post {
    const char *name;
    const char *scheme;
    const char *secret;
    struct header headers[HEADERS];
    const char *body;
    const char *path;
    const char *query;
    bool url_signed;
    const char *verified_by;
    const char *delivery_id;
    const char *unsigned_header; /* may say anything */
    int64_t now_s;               /* 0: NOW_S */
    struct options options;
};

/* clang-format off */
static const struct signed_post posts[] = {
    {.name = "V1", .scheme = "promptlayer", .secret = "whsec_test_0123456789", .headers = {{"X-PromptLayer-Signature", "8bda6fd741eeb37fed7f4eaaa1fda01e3d4e18bfee60ef9404c54476efa346cc"}}, .body = "{\"event_type\":\"agent_run_finished\",\"details\":{\"agent_name\":\"Customer Support Agent\",\"agent_id\":456,\"agent_execution_id\":789},\"user_id\":1,\"user_name\":null,\"user_email\":null,\"workspace_id\":1,\"timestamp\":\"2026-08-21T19:03:41.924833\"}",
     .verified_by = "promptlayer:python", .delivery_id = "", .unsigned_header = ""},
    {.name = "V2", .scheme = "promptlayer", .secret = "whsec_test_0123456789", .headers = {{"X-PromptLayer-Signature", "73b2e3aee43cdcc00eb5a38a7d3facbe574ecf8b1312b6be3629a6558a6c4a06"}}, .body = "{\"\\uffee\":1,\"\\ud83d\\ude00\":\"caf\xc3\xa9 \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x9a\x80\",\"details\":{\"agent_name\":\"F\xc3\xbchrung\"},\"del\":\"\\u007f\"}",
     .verified_by = "promptlayer:python", .delivery_id = "", .unsigned_header = ""},
    {.name = "V3", .scheme = "promptlayer", .secret = "whsec_test_0123456789", .headers = {{"X-PromptLayer-Signature", "a929ed371d9be78bc4d233d31ccad601e4512a285c0fc520359adb9c6098fb0f"}}, .body = "{\"f\":[1.0,1e-7,1e22,1E16,0.00001,0.0001,-0.0,-0,1.10,2.5e0,1e21],\"i\":[9007199254740993,12345678901234567890,-1]}",
     .verified_by = "promptlayer:python", .delivery_id = "", .unsigned_header = ""},
    {.name = "V4", .scheme = "promptlayer", .secret = "whsec_test_0123456789", .headers = {{"X-PromptLayer-Signature", "36e3247c069b0b4d67350f4d7673ce46a2c0fd8eeaffe10b4b62dd4c04b6e5a5"}}, .body = "{\"b\":{},\"a\":1,\"a\":[[],{},\"\"],\"\":\"\",\"c\":{\"z\":null,\"y\":[true,false,null]}}",
     .verified_by = "promptlayer:python", .delivery_id = "", .unsigned_header = ""},
    {.name = "V5", .scheme = "promptlayer", .secret = "whsec_test_0123456789", .headers = {{"X-PromptLayer-Signature", "9d0269f5aae6f9c7f5329914f08d76e8abebe5c21682f8004f5f777244bd9528"}}, .body = "{\"s\":\"end,\",\"t\":\"x,[1]\",\"u\":\"{\\\"a\\\":1}\",\"n\":[1,2,3]}",
     .verified_by = "promptlayer:python", .delivery_id = "", .unsigned_header = ""},
    {.name = "V6", .scheme = "promptlayer", .secret = "whsec_test_0123456789", .headers = {{"X-PromptLayer-Signature", "f820d1f2940a5233f72215bb40d36e2585fe362ee306a2a68601fa1c137ba036"}}, .body = "{\"k\":\"\\u2028\\u2029\\u0000\\u001F\\b\\f\\n\\r\\t\\/\\\\\\\"\\uD83D\\uDE00\\ud800\\u00E9a/b\",\"A\":1,\"a\":2,\"_\":3}",
     .verified_by = "promptlayer:python", .delivery_id = "", .unsigned_header = ""},
    {.name = "sender table", .scheme = "promptlayer", .secret = "local-test-secret-32-bytes-long", .headers = {{"X-PromptLayer-Signature", "a665cb9571979bd536d5d820144c904fab161d9f073efd529948df942116fa8e"}}, .body = BODY,
     .verified_by = "promptlayer:python", .delivery_id = "", .unsigned_header = ""},
    {.name = "raw", .scheme = "promptlayer", .secret = "whsec_test_0123456789", .headers = {{"X-PromptLayer-Signature", "623eb62e212c92a80e51a7c8bc9ba6b23dbb9a2c4873f04c574a06ef4ced46b7"}}, .body = "{\"b\":1,\"a\":[1,2]}",
     .verified_by = "promptlayer:raw", .delivery_id = "", .unsigned_header = ""},
    {.name = "javascript", .scheme = "promptlayer", .secret = "whsec_test_0123456789", .headers = {{"X-PromptLayer-Signature", "fd2dd8df56c255f1107bd6c50c25e6776abebfcb3732f15ba324cbe731b05308"}}, .body = "{\"b\":\"\xc3\xa9\",\"a\":[1,2]}",
     .verified_by = "promptlayer:javascript", .delivery_id = "", .unsigned_header = ""},
    {.name = "webhook", .scheme = "standard-webhooks", .secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", .headers = {{"webhook-id", "msg_1"}, {"webhook-timestamp", "1700000000"}, {"webhook-signature", "v1,xf03HSKNhpTP8xuGpMngvsv9jbCa0jZ9Oa56CuEYrbE="}}, .body = BODY,
     .verified_by = "standard-webhooks:v1", .delivery_id = "msg_1", .unsigned_header = ""},
    {.name = "svix", .scheme = "standard-webhooks", .secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", .headers = {{"svix-id", "msg_3"}, {"svix-timestamp", "1700000000"}, {"svix-signature", "v1,IuR4cJhHI4EgRMEMBYblDPwnq+l5oEXiUQOUQH4xFeI="}}, .body = BODY,
     .verified_by = "standard-webhooks:v1", .delivery_id = "msg_3", .unsigned_header = ""},
    {.name = "published", .scheme = "standard-webhooks", .secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", .headers = {{"webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"}, {"webhook-timestamp", "1614265330"}, {"webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}}, .body = "{\"test\": 2432232314}",
     .verified_by = "standard-webhooks:v1", .delivery_id = "msg_p5jXN8AQM9LWM0D4loKWxJek", .unsigned_header = "", .now_s = 1614265330},
    {.name = "ed25519", .scheme = "standard-webhooks", .secret = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", .headers = {{"webhook-id", "msg_1"}, {"webhook-timestamp", "1700000000"}, {"webhook-signature", "v1a,3LH06NyPFXUtS+y4/4Cjhmt5SR33RhRacjmRI2YS+BDIrEzYTQmzUsu94K239vUpDOpwa7Lb1qEYaOfGKULwCA=="}}, .body = BODY,
     .verified_by = "standard-webhooks:v1a", .delivery_id = "msg_1", .unsigned_header = ""},
    {.name = "octokit", .scheme = "github", .secret = "local-test-secret-32-bytes-long", .headers = {{"X-Hub-Signature-256", "sha256=5891d668aa69702e6c7e49af4bf5681586ae885270f2e5edd54482d36e7bb006"}, {"X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958"}}, .body = BODY,
     .verified_by = "github", .delivery_id = "72d3162e-cc78-11e3-81ab-4c9367dc0958", .unsigned_header = "X-GitHub-Delivery"},
    {.name = "documentation", .scheme = "github", .secret = "It's a Secret to Everybody", .headers = {{"X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}}, .body = "Hello, World!",
     .verified_by = "github", .delivery_id = "", .unsigned_header = ""},
    {.name = "stripe", .scheme = "stripe", .secret = "local-test-secret-32-bytes-long", .headers = {{"Stripe-Signature", "t=1700000000,v1=38ee9d123c13035eefcdd3f39227c3802de51e8309008a6077de58c898c98825"}}, .body = BODY,
     .verified_by = "stripe", .delivery_id = "evt_1", .unsigned_header = ""},
    {.name = "slack", .scheme = "slack", .secret = "local-test-secret-32-bytes-long", .headers = {{"X-Slack-Request-Timestamp", "1700000000"}, {"X-Slack-Signature", "v0=68f44aaa070cc6359b5cdaf5c50bacdf0ef89f13a2d207083debc0206a69d890"}}, .body = BODY,
     .verified_by = "slack", .delivery_id = "", .unsigned_header = ""},
    {.name = "shopify", .scheme = "shopify", .secret = "local-test-secret-32-bytes-long", .headers = {{"X-Shopify-Hmac-SHA256", "WJHWaKppcC5sfkmvS/VoFYauiFJw8uXt1USC0257sAY="}, {"X-Shopify-Event-Id", "e-1"}}, .body = BODY,
     .verified_by = "shopify", .delivery_id = "e-1", .unsigned_header = "X-Shopify-Event-Id"},
    {.name = "form", .scheme = "twilio", .secret = "12345", .headers = {{"X-Twilio-Signature", "9pyy2ZSJda9ihJ1NNXPXtY4oV2Y="}}, .body = "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212",
     .verified_by = "twilio", .delivery_id = "", .unsigned_header = "", .path = "/myapp.php", .query = "foo=1&bar=2", .url_signed = true},
    {.name = "json", .scheme = "twilio", .secret = "12345", .headers = {{"X-Twilio-Signature", "6RHpvr0Bgg5tOv7XwQAKSA53KeA="}}, .body = "{\"property\": \"value\", \"boolean\": true}",
     .verified_by = "twilio", .delivery_id = "", .unsigned_header = "", .path = "/myapp.php", .query = "bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620", .url_signed = true},
    {.name = "template", .scheme = "hmac", .secret = "local-test-secret-32-bytes-long", .headers = {{"X-Sig", "v=b596bf98d71dbcca08ef5d656f607ffe325e2d118dcfd0bbe084b0a16c3b93d9ba968ac5ba00c0f93b0db44259ecb5bd67e1abcfdb2a75cf91d93c2aebb83db8"}, {"X-Time", "1700000000"}, {"X-Id", "id-1"}}, .body = BODY,
     .verified_by = "hmac", .delivery_id = "id-1", .unsigned_header = "", .options = {.header = "X-Sig", .algorithm = DIGEST_SHA512, .prefix = "v=",
                 .signed_text = "v1:{timestamp}:{id}:{path}:{{{body}}}", .timestamp_header = "X-Time", .id_header = "X-Id"},
     .path = "/in/x", .query = "a=b", .url_signed = true},
    {.name = "url", .scheme = "hmac", .secret = "local-test-secret-32-bytes-long", .headers = {{"X-Sig", "pFFVBrzPIT2cdyTS69s6C6IzjYw"}}, .body = BODY,
     .verified_by = "hmac", .delivery_id = "", .unsigned_header = "", .options = {.header = "X-Sig", .algorithm = DIGEST_SHA1, .encoding = ENCODING_BASE64URL,
                 .signed_text = "{url}{body}"},
     .path = "/in/x", .query = "a=b", .url_signed = true},};
/* clang-format on */

enum { POSTS = sizeof posts / sizeof posts[0] };

/* A post that a test may change before it asks. */
struct attempt {
    const struct signed_post *post;
    struct header headers[HEADERS];
    char path[TEXT_BYTES];
    char query[TEXT_BYTES];
    unsigned char body[TEXT_BYTES];
    size_t body_length;
    unsigned char secret[TEXT_BYTES];
    struct config_secret secrets[2];
    size_t secret_count;
    int64_t now_s;
    struct verify_outcome outcome;
    struct error error;
};

static void begin(const struct signed_post *post, struct attempt *attempt)
{
    memset(attempt, 0, sizeof *attempt);
    attempt->post = post;
    memcpy(attempt->headers, post->headers, sizeof attempt->headers);
    snprintf(attempt->path, TEXT_BYTES, "%s", post->path ? post->path : "/in");
    snprintf(attempt->query, TEXT_BYTES, "%s", post->query ? post->query : "");
    attempt->body_length = strlen(post->body);
    memcpy(attempt->body, post->body, attempt->body_length);
    memcpy(attempt->secret, post->secret, strlen(post->secret));
    attempt->secrets[0] = (struct config_secret){attempt->secret, strlen(post->secret)};
    attempt->secret_count = 1;
    attempt->now_s = post->now_s ? post->now_s : NOW_S;
}

static const char *header_of(const void *context, const char *name)
{
    const struct attempt *attempt = context;
    for (size_t i = 0; i < HEADERS; i++)
        if (attempt->headers[i].name && strcasecmp(attempt->headers[i].name, name) == 0)
            return attempt->headers[i].value;
    return NULL;
}

static char *own(const char *text)
{
    return (char *)(uintptr_t)text; /* nobody writes to it */
}

static struct config_verify options_of(struct attempt *attempt)
{
    const struct options *from = &attempt->post->options;
    return (struct config_verify){
        .scheme = own(attempt->post->scheme),
        .secret = {attempt->secrets, attempt->secret_count},
        .tolerance_ms = TOLERANCE_S * 1000,
        .header = own(from->header),
        .algorithm = from->algorithm,
        .encoding = from->encoding,
        .prefix = own(from->prefix),
        .signed_text = own(from->signed_text),
        .timestamp_header = own(from->timestamp_header),
        .id_header = own(from->id_header),
    };
}

/* NULL when the secret is one that the scheme cannot use. */
static struct verifier *open_verifier(
    struct attempt *attempt, struct config_verify *options, struct config *config,
    struct config_endpoint *endpoint)
{
    *options = options_of(attempt);
    *config = (struct config){.public_url = own("https://example.com")};
    *endpoint = (struct config_endpoint){
        .name = own("in"), .path = own("/in"), .verify = options, .verify_count = 1};
    return verifier_new(config, endpoint, &attempt->error);
}

static bool ask(const struct verifier *verifier, struct attempt *attempt)
{
    const struct verify_request request = {
        .path_rest = "",
        .path = attempt->path,
        .query = attempt->query,
        .header = header_of,
        .context = attempt,
        .client_address = "192.0.2.1",
        .now_ms = attempt->now_s * 1000,
    };
    /* Of exact size, so that a sanitizer sees a read past the end. */
    unsigned char *body = malloc(attempt->body_length + 1);
    assert_non_null(body);
    memcpy(body, attempt->body, attempt->body_length);
    memset(&attempt->outcome, 0, sizeof attempt->outcome);
    bool taken = verifier_check_head(verifier, &request, &attempt->outcome, &attempt->error) == 0 &&
                 verifier_check_body(
                     verifier, &request, bytes_of(body, attempt->body_length), &attempt->outcome,
                     &attempt->error) == 0;
    free(body);
    if (!taken && attempt->error.code != ERROR_UNAUTHORIZED)
        fail_msg("%s: %s", attempt->post->scheme, attempt->error.message);
    return taken;
}

static bool is_taken(struct attempt *attempt)
{
    struct config_verify options;
    struct config config;
    struct config_endpoint endpoint;
    struct verifier *verifier = open_verifier(attempt, &options, &config, &endpoint);
    if (!verifier) {
        assert_int_equal(attempt->error.code, ERROR_CONFIG);
        return false;
    }
    bool taken = ask(verifier, attempt);
    verifier_free(verifier);
    return taken;
}

static void refuse(struct attempt *attempt, const char *what, size_t bit)
{
    if (is_taken(attempt))
        fail_msg(
            "%s (%s): %s may change in bit %zu", attempt->post->scheme, attempt->post->name, what,
            bit);
}

static void what_was_signed_is_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < POSTS; i++) {
        struct attempt attempt;
        begin(&posts[i], &attempt);
        if (!is_taken(&attempt))
            fail_msg("%s (%s): %s", posts[i].scheme, posts[i].name, attempt.error.message);
        assert_string_equal(attempt.outcome.verified_by, posts[i].verified_by);
        assert_string_equal(attempt.outcome.delivery_id, posts[i].delivery_id);
        assert_false(attempt.outcome.has_run);
        assert_int_equal(attempt.outcome.challenge.length, 0);
    }
}

static bool means_the_same(const struct attempt *attempt, size_t bit)
{
    /* %2b is %2B in a form. */
    if (strcmp(attempt->post->name, "form") == 0)
        return bit % 8 == 5;
    /* JSON that is spelled in another way is the same payload to PromptLayer. */
    return strcmp(attempt->outcome.verified_by, "promptlayer:python") == 0 ||
           strcmp(attempt->outcome.verified_by, "promptlayer:javascript") == 0;
}

static void no_bit_of_a_body_may_change(void **state)
{
    (void)state;
    for (size_t i = 0; i < POSTS; i++) {
        struct attempt attempt;
        size_t taken = 0;
        begin(&posts[i], &attempt);
        for (size_t bit = 0; bit < 8 * attempt.body_length; bit++) {
            attempt.body[bit / 8] ^= (unsigned char)(1U << bit % 8);
            if (is_taken(&attempt)) {
                if (!means_the_same(&attempt, bit))
                    fail_msg("%s: bit %zu may change", posts[i].scheme, bit);
                taken++;
            }
            attempt.body[bit / 8] ^= (unsigned char)(1U << bit % 8);
        }
        /* 1E16 and 1e16, the case of hex digits: few. */
        assert_true(taken <= attempt.body_length / 8);
        attempt.body_length--;
        refuse(&attempt, "the length of the body", 0);
        attempt.body_length += 2;
        refuse(&attempt, "the length of the body", 1);
    }
}

/* Hex, and words before it, are good in either case; in base64 another case is another signature.
 */
static bool is_the_same_hex(const struct signed_post *post, const char *value, const char *other)
{
    static const char *const of_hex[] = {"promptlayer", "github", "stripe", "slack"};
    bool is_hex = strcmp(post->scheme, "hmac") == 0 && post->options.encoding == ENCODING_HEX;
    for (size_t i = 0; i < sizeof of_hex / sizeof of_hex[0]; i++)
        is_hex = is_hex || strcmp(post->scheme, of_hex[i]) == 0;
    return is_hex && strcasecmp(value, other) == 0;
}

static void no_bit_of_a_header_may_change(void **state)
{
    (void)state;
    for (size_t i = 0; i < POSTS; i++)
        for (size_t h = 0; h < HEADERS && posts[i].headers[h].name; h++) {
            struct attempt attempt;
            char value[TEXT_BYTES];
            begin(&posts[i], &attempt);
            attempt.headers[h].value = value;
            for (size_t bit = 0; bit < 8 * strlen(posts[i].headers[h].value); bit++) {
                snprintf(value, sizeof value, "%s", posts[i].headers[h].value);
                value[bit / 8] = (char)((unsigned char)value[bit / 8] ^ 1U << bit % 8);
                if (strcmp(posts[i].unsigned_header, posts[i].headers[h].name) != 0 &&
                    !is_the_same_hex(&posts[i], value, posts[i].headers[h].value))
                    refuse(&attempt, posts[i].headers[h].name, bit);
            }
            /* Cut short anywhere, and with more behind it. */
            for (size_t length = 0; length < strlen(posts[i].headers[h].value); length++) {
                snprintf(value, sizeof value, "%.*s", (int)length, posts[i].headers[h].value);
                if (strcmp(posts[i].unsigned_header, posts[i].headers[h].name) != 0)
                    refuse(&attempt, posts[i].headers[h].name, 8 * length);
            }
            attempt.headers[h].name = NULL;
            if (strcmp(posts[i].unsigned_header, posts[i].headers[h].name) != 0)
                refuse(&attempt, "the want of a header", h);
        }
}

static void no_bit_of_a_url_may_change(void **state)
{
    (void)state;
    for (size_t i = 0; i < POSTS; i++) {
        struct attempt attempt;
        begin(&posts[i], &attempt);
        for (size_t bit = 0; posts[i].url_signed && bit < 8 * strlen(posts[i].path); bit++) {
            attempt.path[bit / 8] = (char)((unsigned char)attempt.path[bit / 8] ^ 1U << bit % 8);
            refuse(&attempt, "the path", bit);
            attempt.path[bit / 8] = posts[i].path[bit / 8];
        }
        for (size_t bit = 0; posts[i].url_signed && bit < 8 * strlen(posts[i].query); bit++) {
            attempt.query[bit / 8] = (char)((unsigned char)attempt.query[bit / 8] ^ 1U << bit % 8);
            refuse(&attempt, "the query", bit);
            attempt.query[bit / 8] = posts[i].query[bit / 8];
        }
    }
}

static void no_bit_of_a_secret_may_change(void **state)
{
    (void)state;
    for (size_t i = 0; i < POSTS; i++) {
        struct attempt attempt;
        begin(&posts[i], &attempt);
        for (size_t bit = 0; bit < 8 * strlen(posts[i].secret); bit++) {
            attempt.secret[bit / 8] ^= (unsigned char)(1U << bit % 8);
            refuse(&attempt, "the secret", bit);
            attempt.secret[bit / 8] ^= (unsigned char)(1U << bit % 8);
        }
    }
}

static void each_of_several_secrets_is_good(void **state)
{
    (void)state;
    static unsigned char other[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx";
    for (size_t i = 0; i < POSTS; i++) {
        struct attempt attempt;
        begin(&posts[i], &attempt);
        attempt.secret_count = 2;
        attempt.secrets[1] = (struct config_secret){other, sizeof other - 1};
        assert_true(is_taken(&attempt));
        attempt.secrets[1] = attempt.secrets[0];
        attempt.secrets[0] = (struct config_secret){other, sizeof other - 1};
        assert_true(is_taken(&attempt));
        attempt.secret_count = 1;
        refuse(&attempt, "the secret", 0);
    }
}

/* A secret that was not handed over is no empty key that anybody could sign with. */
static void without_a_secret_nothing_is_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < POSTS; i++) {
        struct attempt attempt;
        begin(&posts[i], &attempt);
        attempt.secrets[0] = (struct config_secret){NULL, 0};
        refuse(&attempt, "the secret", 0);
        attempt.secret_count = 0;
        refuse(&attempt, "the secret", 1);
    }
}

static bool has_time(const struct signed_post *post)
{
    static const char *const timed[] = {"standard-webhooks", "stripe", "slack"};
    for (size_t i = 0; i < sizeof timed / sizeof timed[0]; i++)
        if (strcmp(post->scheme, timed[i]) == 0)
            return true;
    return post->options.timestamp_header != NULL;
}

static void a_time_is_good_within_the_tolerance(void **state)
{
    (void)state;
    for (size_t i = 0; i < POSTS; i++) {
        static const int64_t near[] = {-TOLERANCE_S, TOLERANCE_S};
        static const int64_t far[] = {-TOLERANCE_S - 1, TOLERANCE_S + 1, -1000000, 1000000};
        struct attempt attempt;
        for (size_t j = 0; has_time(&posts[i]) && j < 2; j++) {
            begin(&posts[i], &attempt);
            attempt.now_s += near[j];
            assert_true(is_taken(&attempt));
        }
        for (size_t j = 0; has_time(&posts[i]) && j < 4; j++) {
            begin(&posts[i], &attempt);
            attempt.now_s += far[j];
            refuse(&attempt, "the time", j);
            assert_non_null(strstr(attempt.error.message, "too far from our clock"));
        }
    }
}

static const struct signed_post *post_named(const char *scheme, const char *name)
{
    for (size_t i = 0; i < POSTS; i++)
        if (strcmp(posts[i].scheme, scheme) == 0 && strcmp(posts[i].name, name) == 0)
            return &posts[i];
    fail_msg("no post %s of %s", name, scheme);
    return NULL;
}

static void expect_header(const char *scheme, const char *name, const char *value, bool taken)
{
    struct attempt attempt;
    begin(post_named(scheme, name), &attempt);
    for (size_t h = 0; h < HEADERS && attempt.headers[h].name; h++)
        if (strstr(attempt.headers[h].name, "ignature"))
            attempt.headers[h].value = value;
    if (is_taken(&attempt) != taken)
        fail_msg("%s: \"%s\": %s", scheme, value, attempt.error.message);
}

#define STRIPE_V1 "v1=38ee9d123c13035eefcdd3f39227c3802de51e8309008a6077de58c898c98825"
#define WEBHOOK_V1 "v1,xf03HSKNhpTP8xuGpMngvsv9jbCa0jZ9Oa56CuEYrbE="
#define WRONG_HEX "0000000000000000000000000000000000000000000000000000000000000000"

static void the_shapes_of_stripe_are_decided(void **state)
{
    (void)state;
    static const char *const good[] = {
        STRIPE_V1 ",t=1700000000", "t=1700000000,v1=" WRONG_HEX "," STRIPE_V1,
        "t=1700000000,v0=x," STRIPE_V1 ",future"};
    static const char *const bad[] = {
        "",
        ",",
        "t=1700000000",
        "t=1700000000,",
        STRIPE_V1,
        "t=," STRIPE_V1,
        "t=1700000000,t=1700000000," STRIPE_V1,
        "t=1700000000,v1=," STRIPE_V1,
        "t=1700000000, " STRIPE_V1,
        "t=+1700000000," STRIPE_V1,
        "t=1700000000.0," STRIPE_V1,
        "t=99999999999999999999," STRIPE_V1,
        "t=9223372036854775807," STRIPE_V1,
        "t=-9223372036854775808," STRIPE_V1,
        "T=1700000000," STRIPE_V1};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        expect_header("stripe", "stripe", good[i], true);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect_header("stripe", "stripe", bad[i], false);
    struct buffer many;
    buffer_init(&many, 2048);
    buffer_append_text(&many, "t=1700000000," STRIPE_V1);
    for (int i = 0; i < 15; i++)
        buffer_append_text(&many, ",v1=" WRONG_HEX);
    expect_header("stripe", "stripe", buffer_text(&many), true);
    buffer_append_text(&many, ",v1=" WRONG_HEX);
    expect_header("stripe", "stripe", buffer_text(&many), false);
    buffer_fini(&many);
}

static void the_shapes_of_standard_webhooks_are_decided(void **state)
{
    (void)state;
    static const char *const good[] = {
        "v1,AAAA " WEBHOOK_V1, WEBHOOK_V1 " v2,x", "  v1a,AA  " WEBHOOK_V1 " "};
    static const char *const bad[] = {
        "",
        " ",
        "v1",
        "v1,",
        "V1",
        "xf03HSKNhpTP8xuGpMngvsv9jbCa0jZ9Oa56CuEYrbE=",
        "v1=xf03HSKNhpTP8xuGpMngvsv9jbCa0jZ9Oa56CuEYrbE=",
        "v2,xf03HSKNhpTP8xuGpMngvsv9jbCa0jZ9Oa56CuEYrbE=",
        ("a a a a a a a a a a a a a a a a " WEBHOOK_V1)};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        expect_header("standard-webhooks", "webhook", good[i], true);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect_header("standard-webhooks", "webhook", bad[i], false);
}

static void an_id_that_is_none_is_refused(void **state)
{
    (void)state;
    char longer[400];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    const char *const bad[] = {"", " ", "a b", "\x7f", "\xc3\xa9", "a\tb", longer};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct attempt attempt;
        begin(post_named("github", "octokit"), &attempt);
        attempt.headers[1].value = bad[i];
        refuse(&attempt, "the id", i);
        begin(post_named("shopify", "shopify"), &attempt);
        attempt.headers[1].value = bad[i];
        refuse(&attempt, "the id", i);
    }
}

static void a_shopify_topic_parts_posts_of_one_event(void **state)
{
    (void)state;
    struct attempt attempt;
    begin(post_named("shopify", "shopify"), &attempt);
    attempt.headers[2] = (struct header){"X-Shopify-Topic", "orders/paid"};
    assert_true(is_taken(&attempt));
    assert_string_equal(attempt.outcome.delivery_id, "e-1:orders/paid");
}

static void promptlayer_takes_other_spellings_of_a_payload(void **state)
{
    (void)state;
    struct attempt attempt;
    begin(post_named("promptlayer", "sender table"), &attempt);
    static const char other[] =
        " {\"n\":2432232314,\n\"type\":\"test\\u002eevent\",\"id\":\"evt_1\"} ";
    memcpy(attempt.body, other, sizeof other);
    attempt.body_length = sizeof other - 1;
    assert_true(is_taken(&attempt));
    /* What no form fits: neither JSON, nor signed as it is. */
    attempt.body_length = 3;
    refuse(&attempt, "the body", 0);
}

static void twilio_knows_both_ports(void **state)
{
    (void)state;
    struct attempt attempt;
    static const struct {
        const char *url;
        bool taken;
    } urls[] = {{"https://example.com", true},      {"https://example.com:443", true},
                {"https://example.com:8443", true}, {"http://example.com", false},
                {"https://example.org", false},     {"https://example.com/in", false}};
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        struct config_verify options;
        struct config config;
        struct config_endpoint endpoint;
        begin(post_named("twilio", "form"), &attempt);
        options = options_of(&attempt);
        config = (struct config){.public_url = own(urls[i].url)};
        endpoint = (struct config_endpoint){
            .name = own("in"), .path = own("/in"), .verify = &options, .verify_count = 1};
        struct verifier *verifier = verifier_new(&config, &endpoint, &attempt.error);
        assert_non_null(verifier);
        assert_int_equal(ask(verifier, &attempt), urls[i].taken);
        verifier_free(verifier);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_signed_is_taken),
        cmocka_unit_test(no_bit_of_a_body_may_change),
        cmocka_unit_test(no_bit_of_a_header_may_change),
        cmocka_unit_test(no_bit_of_a_url_may_change),
        cmocka_unit_test(no_bit_of_a_secret_may_change),
        cmocka_unit_test(each_of_several_secrets_is_good),
        cmocka_unit_test(without_a_secret_nothing_is_taken),
        cmocka_unit_test(a_time_is_good_within_the_tolerance),
        cmocka_unit_test(the_shapes_of_stripe_are_decided),
        cmocka_unit_test(the_shapes_of_standard_webhooks_are_decided),
        cmocka_unit_test(an_id_that_is_none_is_refused),
        cmocka_unit_test(a_shopify_topic_parts_posts_of_one_event),
        cmocka_unit_test(promptlayer_takes_other_spellings_of_a_payload),
        cmocka_unit_test(twilio_knows_both_ports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
