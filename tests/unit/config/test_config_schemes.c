/* SPDX-License-Identifier: MIT */
#include "config_fixture.h"
#include "config_private.h"

static void every_scheme_is_described(void **state)
{
    (void)state;
    size_t count = 0;
    for (; config_scheme_at(count); count++) {
        const struct config_scheme *scheme = config_scheme_at(count);
        assert_ptr_equal(config_scheme_find(scheme->name), scheme);
        assert_true(strlen(scheme->summary) > 20);
        assert_null(strchr(scheme->summary, '|'));
    }
    assert_true(count >= 1);
    assert_null(config_scheme_at(count));
    assert_null(config_scheme_find("none"));
    assert_null(config_scheme_find(""));
}

static void every_option_of_a_scheme_is_a_key(void **state)
{
    (void)state;
    const struct config_key *verify = config_key_find("endpoints[].verify");
    for (size_t i = 0; config_scheme_at(i); i++)
        for (const char *const *option = config_scheme_at(i)->options; *option; option++)
            assert_non_null(config_key_member(verify, *option));
}

static void a_scheme_takes_its_options_only(void **state)
{
    (void)state;
    static const struct config_scheme scheme = {
        .name = "example", .summary = "", .options = {"secret_file", "tolerance", NULL}};
    assert_true(config_scheme_takes(&scheme, "scheme"));
    assert_true(config_scheme_takes(&scheme, "secret_file"));
    assert_true(config_scheme_takes(&scheme, "tolerance"));
    assert_false(config_scheme_takes(&scheme, "networks"));
    assert_false(config_scheme_takes(config_scheme_find("run-token"), "secret_file"));
}

static void a_text_in_place_of_schemes_is_told_of_none(void **state)
{
    struct fixture *f = *state;
    assert_false(fixture_load(
        f, (struct parts){
               .endpoints = "\"endpoints\": [ { \"name\": \"a\", \"path\": \"/a\", "
                            "\"verify\": \"nobody\" } ]"}));
    expect_only_problem(
        f, 6, "endpoints[0].verify",
        "is \"nobody\", and must be an array (name a scheme, or write \"none\"");
}

static void an_unknown_scheme_names_the_nearest(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[][2] = {
        {"runtoken", "run-token"}, {"githup", "github"}, {"standardwebhooks", "standard-webhooks"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char endpoints[256];
        snprintf(
            endpoints, sizeof endpoints,
            "\"endpoints\": [ { \"name\": \"a\", \"path\": \"/a\", \"verify\": [ { \"scheme\": "
            "\"%s\" } ] } ]",
            bad[i][0]);
        char meant[64];
        snprintf(meant, sizeof meant, "did you mean \"%s\"?", bad[i][1]);
        assert_false(fixture_load(f, (struct parts){.endpoints = endpoints}));
        expect_only_problem(f, 6, "endpoints[0].verify[0].scheme", meant);
    }
}

/* An endpoint with these schemes. */
static char *with_schemes(const char *verify, char *out, size_t size)
{
    snprintf(
        out, size, "\"endpoints\": [ { \"name\": \"a\", \"path\": \"/a\", \"verify\": [ %s ] } ]",
        verify);
    return out;
}

static void each_scheme_is_taken_with_its_options(void **state)
{
    struct fixture *f = *state;
    static const char *const good[] = {
        "{ \"scheme\": \"promptlayer\", \"secret_file\": \"run.key\" }",
        "{ \"scheme\": \"github\", \"secret_file\": [\"run.key\", \"admin.token\"] }",
        "{ \"scheme\": \"stripe\", \"secret_file\": \"run.key\", \"tolerance\": \"1m\" }",
        "{ \"scheme\": \"slack\", \"secret_file\": \"run.key\" }",
        "{ \"scheme\": \"shopify\", \"secret_file\": \"run.key\" }",
        "{ \"scheme\": \"gitlab\", \"secret_file\": \"run.key\" }",
        "{ \"scheme\": \"bearer\", \"secret_file\": \"run.key\", \"header\": \"X-Api-Key\" }",
        "{ \"scheme\": \"ip-allow\", \"networks\": [\"192.0.2.0/24\", \"unix\"] }",
        "{ \"scheme\": \"hmac\", \"secret_file\": \"run.key\", \"header\": \"X-S\", "
        "\"algorithm\": \"sha1\", \"encoding\": \"base64\", \"prefix\": \"v=\", "
        "\"signed\": \"{timestamp}.{id}.{body}{{}}\", \"timestamp_header\": \"X-T\", "
        "\"id_header\": \"X-I\" }",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        char text[1024];
        expect_taken(f, (struct parts){.endpoints = with_schemes(good[i], text, sizeof text)});
        const struct config_verify *verify = &f->config->endpoints[0].verify[0];
        assert_true(verify->secret.count > 0 || verify->networks.count == 1);
        assert_int_equal(
            verify->tolerance_ms, strcmp(verify->scheme, "stripe") == 0 ? 60000 : 300000);
    }
}

static void options_that_prove_nothing_are_refused(void **state)
{
    struct fixture *f = *state;
    fixture_text(f, "short.key", "whsec_AAAA", 0600);
    static const struct {
        const char *verify;
        const char *key; /* below the entry */
        const char *part;
    } bad[] = {
        {"{ \"scheme\": \"github\" }", "", "the scheme github needs \"secret_file\""},
        {"{ \"scheme\": \"ip-allow\" }", "", "needs \"networks\""},
        {"{ \"scheme\": \"ip-allow\", \"networks\": [] }", ".networks", "nobody may post"},
        {"{ \"scheme\": \"client-certificate\" }", "", "\"subjects\" or \"fingerprints\""},
        {"{ \"scheme\": \"client-certificate\", \"subjects\": [\"CN=a\"] }", "",
         "no listener asks for a certificate"},
        {"{ \"scheme\": \"twilio\", \"secret_file\": \"run.key\" }", "", "set \"public_url\""},
        {"{ \"scheme\": \"basic\", \"secret_file\": \"run.key\" }", ".secret_file", "a colon"},
        {"{ \"scheme\": \"standard-webhooks\", \"secret_file\": \"run.key\" }", ".secret_file",
         "is not base64"},
        {"{ \"scheme\": \"standard-webhooks\", \"secret_file\": \"short.key\" }", ".secret_file",
         "is shorter than 16 bytes"},
        {"{ \"scheme\": \"bearer\", \"secret_file\": \"run.key\", \"header\": \"a b\" }", ".header",
         "is not the name of a header"},
        {"{ \"scheme\": \"github\", \"secret_file\": \"run.key\", \"tolerance\": \"1m\" }",
         ".tolerance", "is not an option of the scheme github"},
        {"{ \"scheme\": \"hmac\", \"secret_file\": \"run.key\" }", "", "needs \"header\""},
        {"{ \"scheme\": \"hmac\", \"secret_file\": \"run.key\", \"header\": \"X-S\", "
         "\"signed\": \"{nobody}\" }",
         ".signed", "is not what can be signed"},
        {"{ \"scheme\": \"hmac\", \"secret_file\": \"run.key\", \"header\": \"X-S\", "
         "\"signed\": \"{body\" }",
         ".signed", "is not what can be signed"},
        {"{ \"scheme\": \"hmac\", \"secret_file\": \"run.key\", \"header\": \"X-S\", "
         "\"signed\": \"text\" }",
         ".signed", "has no {body}"},
        {"{ \"scheme\": \"hmac\", \"secret_file\": \"run.key\", \"header\": \"X-S\", "
         "\"signed\": \"{timestamp}{body}\" }",
         ".signed", "timestamp_header"},
        {"{ \"scheme\": \"hmac\", \"secret_file\": \"run.key\", \"header\": \"X-S\", "
         "\"timestamp_header\": \"X-T\" }",
         ".signed", "has no {timestamp}"},
        {"{ \"scheme\": \"hmac\", \"secret_file\": \"run.key\", \"header\": \"X-S\", "
         "\"signed\": \"{id}{body}\" }",
         ".signed", "id_header"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[1024];
        char key[64];
        snprintf(key, sizeof key, "endpoints[0].verify[0]%s", bad[i].key);
        with_schemes(bad[i].verify, text, sizeof text);
        assert_false(fixture_load(f, (struct parts){.endpoints = text}));
        expect_only_problem(f, 6, key, bad[i].part);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_scheme_is_described),
        cmocka_unit_test(every_option_of_a_scheme_is_a_key),
        cmocka_unit_test(a_scheme_takes_its_options_only),
        WITH_FIXTURE(a_text_in_place_of_schemes_is_told_of_none),
        WITH_FIXTURE(an_unknown_scheme_names_the_nearest),
        WITH_FIXTURE(each_scheme_is_taken_with_its_options),
        WITH_FIXTURE(options_that_prove_nothing_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
