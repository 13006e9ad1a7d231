/* Codes of labels for Java: bars, checks, character sets of old scanners, carriers' libraries. */
#include <dlfcn.h>
#include <errno.h>
#include <iconv.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "carrier.h"
#include "org_example_parcel_codes_Codes.h"

static JavaVM *machine;

JNIEXPORT jint JNICALL JNI_OnLoad(JavaVM *vm, void *reserved) {
    (void)reserved;
    machine = vm;
    return JNI_VERSION_10;
}

static void throw(JNIEnv *env, const char *name, const char *text) {
    jclass class = (*env)->FindClass(env, name);
    if (class)
        (*env)->ThrowNew(env, class, text);
}

static const char *const patterns[] = {
    "212222", "222122", "222221", "121223", "121322", "131222", "122213", "122312", "132212", "221213", "221312",
    "231212", "112232", "122132", "122231", "113222", "123122", "123221", "223211", "221132", "221231", "213212",
    "223112", "312131", "311222", "321122", "321221", "312212", "322112", "322211", "212123", "212321", "232121",
    "111323", "131123", "131321", "112313", "132113", "132311", "211313", "231113", "231311", "112133", "112331",
    "132131", "113123", "113321", "133121", "313121", "211331", "231131", "213113", "213311", "213131", "311123",
    "311321", "331121", "312113", "312311", "332111", "314111", "221411", "431111", "111224", "111422", "121124",
    "121421", "141122", "141221", "112214", "112412", "122114", "122411", "142112", "142211", "241211", "221114",
    "413111", "241112", "134111", "111242", "121142", "121241", "114212", "124112", "124211", "411212", "421112",
    "421211", "212141", "214121", "412121", "111143", "111341", "131141", "114113", "114311", "411113", "411311",
    "113141", "114131", "311141", "411131", "211412", "211214", "211232", "2331112"};

/* Code 128, set B: widths of bars and gaps in turn. */
JNIEXPORT jbyteArray JNICALL Java_org_example_parcel_codes_Codes_code128(JNIEnv *env, jclass self, jstring text) {
    (void)self;
    const char *in = (*env)->GetStringUTFChars(env, text, NULL);
    if (!in)
        return NULL;
    size_t length = strlen(in);
    char *out = malloc((length + 3) * 6 + 8);
    size_t used = 0;
    unsigned sum = 104;
    memcpy(out, patterns[104], 6);
    used = 6;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)in[i];
        if (c < 32 || c > 126) {
            free(out);
            (*env)->ReleaseStringUTFChars(env, text, in);
            throw(env, "org/example/parcel/codes/CodeException", "only printable ASCII fits in code 128");
            return NULL;
        }
        memcpy(out + used, patterns[c - 32], 6);
        used += 6;
        sum += (unsigned)(i + 1) * (c - 32u);
    }
    memcpy(out + used, patterns[sum % 103], 6);
    used += 6;
    memcpy(out + used, patterns[106], 7);
    used += 7;
    (*env)->ReleaseStringUTFChars(env, text, in);
    for (size_t i = 0; i < used; i++)
        out[i] -= '0';
    jbyteArray widths = (*env)->NewByteArray(env, (jsize)used);
    if (widths)
        (*env)->SetByteArrayRegion(env, widths, 0, (jsize)used, (jbyte *)out);
    free(out);
    return widths;
}

/* The check digit of GS1: weights 3 and 1 from the right. */
JNIEXPORT jint JNICALL Java_org_example_parcel_codes_Codes_checkDigit(JNIEnv *env, jclass self, jstring digits) {
    (void)self;
    const char *in = (*env)->GetStringUTFChars(env, digits, NULL);
    if (!in)
        return -1;
    int sum = 0, weight = 3, bad = !*in;
    for (size_t i = strlen(in); i-- > 0; weight = 4 - weight) {
        bad |= in[i] < '0' || in[i] > '9';
        sum += weight * (in[i] - '0');
    }
    (*env)->ReleaseStringUTFChars(env, digits, in);
    if (bad) {
        throw(env, "org/example/parcel/codes/CodeException", "not a number");
        return -1;
    }
    return (10 - sum % 10) % 10;
}

JNIEXPORT jint JNICALL Java_org_example_parcel_codes_Codes_crc32c(JNIEnv *env, jclass self, jobject buffer) {
    (void)self;
    const uint8_t *in = (*env)->GetDirectBufferAddress(env, buffer);
    jlong length = (*env)->GetDirectBufferCapacity(env, buffer);
    uint32_t crc = ~0u;
    for (jlong i = 0; in && i < length; i++) {
        crc ^= in[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return (jint)~crc;
}

/* Text of an old scanner: any set of characters of the C library, here to UTF-8 by iconv. */
JNIEXPORT jbyteArray JNICALL Java_org_example_parcel_codes_Codes_convert(JNIEnv *env, jclass self, jbyteArray bytes,
                                                                         jstring from, jstring to) {
    (void)self;
    const char *source = (*env)->GetStringUTFChars(env, from, NULL);
    const char *target = (*env)->GetStringUTFChars(env, to, NULL);
    iconv_t state = iconv_open(target, source);
    (*env)->ReleaseStringUTFChars(env, from, source);
    (*env)->ReleaseStringUTFChars(env, to, target);
    if (state == (iconv_t)-1) {
        throw(env, "java/nio/charset/UnsupportedCharsetException", "iconv knows no such characters");
        return NULL;
    }
    size_t left = (size_t)(*env)->GetArrayLength(env, bytes), size = left * 8 + 16, room = size;
    char *in = malloc(left + 1), *out = malloc(size), *start = in, *end = out;
    (*env)->GetByteArrayRegion(env, bytes, 0, (jsize)left, (jbyte *)in);
    size_t result = iconv(state, &start, &left, &end, &room);
    if (result != (size_t)-1)
        result = iconv(state, NULL, NULL, &end, &room);
    int error = result == (size_t)-1 ? errno : 0;
    iconv_close(state);
    free(in);
    jbyteArray answer = NULL;
    if (error)
        throw(env, "org/example/parcel/codes/CodeException", error == EILSEQ ? "not of these characters" : "cut off");
    else if ((answer = (*env)->NewByteArray(env, (jsize)(size - room))))
        (*env)->SetByteArrayRegion(env, answer, 0, (jsize)(size - room), (jbyte *)out);
    free(out);
    return answer;
}

/* The route of a parcel: each carrier is a library of its own, loaded when it is first asked. */
JNIEXPORT jstring JNICALL Java_org_example_parcel_codes_Codes_route0(JNIEnv *env, jclass self, jstring library,
                                                                    jstring country, jint grams) {
    (void)self;
    const char *file = (*env)->GetStringUTFChars(env, library, NULL);
    void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    (*env)->ReleaseStringUTFChars(env, library, file);
    carrier_route *route = handle ? (carrier_route *)dlsym(handle, "route") : NULL;
    if (!route) {
        throw(env, "org/example/parcel/codes/CodeException", "no such carrier");
        return NULL;
    }
    char out[200];
    const char *where = (*env)->GetStringUTFChars(env, country, NULL);
    int failed = route(where, grams, out, sizeof out);
    (*env)->ReleaseStringUTFChars(env, country, where);
    return failed ? NULL : (*env)->NewStringUTF(env, out);
}

struct scan {
    char *text;
    jobject sink;
    jmethodID accept;
    int lines;
};

static void *scan_lines(void *data) {
    struct scan *scan = data;
    JNIEnv *env;
    JavaVMAttachArgs arguments = {JNI_VERSION_10, (char *)"scanner", NULL};
    if ((*machine)->AttachCurrentThread(machine, (void **)&env, &arguments))
        return NULL;
    char *rest = scan->text, *line;
    while ((line = strsep(&rest, "\r\n")))
        if (*line) {
            jstring string = (*env)->NewStringUTF(env, line);
            (*env)->CallVoidMethod(env, scan->sink, scan->accept, string);
            (*env)->DeleteLocalRef(env, string);
            if ((*env)->ExceptionCheck(env)) {
                (*env)->ExceptionClear(env);
                break;
            }
            scan->lines++;
        }
    (*machine)->DetachCurrentThread(machine);
    return NULL;
}

/* Gives each line to a Java object, in a thread of its own as the scanner's driver does. */
JNIEXPORT jint JNICALL Java_org_example_parcel_codes_Codes_scan(JNIEnv *env, jclass self, jstring text, jobject sink) {
    (void)self;
    struct scan scan = {0};
    jclass class = (*env)->FindClass(env, "java/util/function/Consumer");
    scan.accept = (*env)->GetMethodID(env, class, "accept", "(Ljava/lang/Object;)V");
    scan.sink = (*env)->NewGlobalRef(env, sink);
    const char *in = (*env)->GetStringUTFChars(env, text, NULL);
    scan.text = strdup(in);
    (*env)->ReleaseStringUTFChars(env, text, in);
    pthread_t thread;
    if (pthread_create(&thread, NULL, scan_lines, &scan))
        throw(env, "java/lang/OutOfMemoryError", "no thread");
    else
        pthread_join(thread, NULL);
    (*env)->DeleteGlobalRef(env, scan.sink);
    free(scan.text);
    return scan.lines;
}
