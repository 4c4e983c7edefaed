/* Reads one PKCS#11 URI a line and prints, one line each, what p11-kit's parser makes of it.
 *
 *   cc p11kit_uri.c $(pkg-config --cflags --libs p11-kit-1)
 *
 * A line is the parser's return code, whether an attribute was unknown to it, and the fields in the order of `main`,
 * separated by blanks. Bytes are in hexadecimal with `=` before them; `-` is a field that the URI does not set. */

#include <stdio.h>
#include <string.h>

#include <p11-kit/p11-kit.h>
#include <p11-kit/uri.h>

static void print_bytes(const unsigned char *bytes, size_t length)
{
    if (bytes == NULL) {
        printf(" -");
        return;
    }
    printf(" =");
    for (size_t i = 0; i < length; i++)
        printf("%02x", bytes[i]);
}

/* A field of a CK_…_INFO: p11-kit leaves it zero where the URI has no such attribute, and pads it with blanks else. */
static void print_field(const unsigned char *field, size_t length)
{
    print_bytes(field[0] == 0 ? NULL : field, length);
}

static void print_text(const char *text)
{
    print_bytes((const unsigned char *)text, text == NULL ? 0 : strlen(text));
}

static void print_attribute(P11KitUri *uri, CK_ATTRIBUTE_TYPE type)
{
    static const unsigned char none[1];
    CK_ATTRIBUTE *attribute = p11_kit_uri_get_attribute(uri, type);
    if (attribute == NULL)
        print_bytes(NULL, 0);
    else
        print_bytes(attribute->pValue == NULL ? none : attribute->pValue, attribute->ulValueLen);
}

static void print_class(P11KitUri *uri)
{
    CK_ATTRIBUTE *attribute = p11_kit_uri_get_attribute(uri, CKA_CLASS);
    if (attribute == NULL)
        printf(" -");
    else
        printf(" %lu", *(CK_OBJECT_CLASS *)attribute->pValue);
}

int main(void)
{
    char line[16 * 1024];
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = 0;
        P11KitUri *uri = p11_kit_uri_new();
        int code = p11_kit_uri_parse(line, P11_KIT_URI_FOR_ANY, uri);
        CK_TOKEN_INFO *token = p11_kit_uri_get_token_info(uri);
        CK_SLOT_INFO *slot = p11_kit_uri_get_slot_info(uri);
        CK_INFO *module = p11_kit_uri_get_module_info(uri);
        printf("%d %d", code, p11_kit_uri_any_unrecognized(uri) != 0);
        print_field(token->label, sizeof token->label);
        print_field(token->manufacturerID, sizeof token->manufacturerID);
        print_field(token->serialNumber, sizeof token->serialNumber);
        print_field(token->model, sizeof token->model);
        print_field(slot->manufacturerID, sizeof slot->manufacturerID);
        print_field(slot->slotDescription, sizeof slot->slotDescription);
        print_field(module->manufacturerID, sizeof module->manufacturerID);
        print_field(module->libraryDescription, sizeof module->libraryDescription);
        print_attribute(uri, CKA_LABEL);
        print_attribute(uri, CKA_ID);
        print_text(p11_kit_uri_get_module_path(uri));
        print_text(p11_kit_uri_get_module_name(uri));
        print_text(p11_kit_uri_get_pin_value(uri));
        print_text(p11_kit_uri_get_pin_source(uri));
        print_class(uri);
        printf(" %lu", p11_kit_uri_get_slot_id(uri));
        printf(" %d.%d\n", module->libraryVersion.major, module->libraryVersion.minor);
        p11_kit_uri_free(uri);
    }
    return 0;
}
