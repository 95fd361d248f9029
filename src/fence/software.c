/*-------------------------------------------------------------------------
 *
 * software.c
 *		What loaders run on, besides the database.
 *
 * How strings compare is up to the C library and to ICU, and may be another
 * with another version of them; so what was loaded before an upgrade is not
 * what a loader gives now.
 *
 * This library is not linked with ICU, the server is, or is not.  Its functions
 * carry its major version in their names, and so does the file that it is
 * loaded from.
 *
 * Locking: none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#ifdef __linux__
#include <dlfcn.h>
#include <link.h>
#endif
#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

#include "utils/guc.h"

#include "fence/software.h"

#ifdef __linux__

#define ICU_FILE	"libicuuc.so."

typedef void (*IcuGetVersion) (uint8 version[4]);

/* If this is ICU, name its version: for dl_iterate_phdr. */
static int
note_icu(struct dl_phdr_info *info, size_t size, void *name)
{
	const char *found = strstr(info->dlpi_name, ICU_FILE);
	char		function[64];
	IcuGetVersion get_version;
	uint8		version[4];
	int			major;

	if (found == NULL)
		return 0;
	found += strlen(ICU_FILE);
	major = atoi(found);
	snprintf(function, sizeof(function), "u_getVersion_%d", major);
	get_version = (IcuGetVersion) dlsym(RTLD_DEFAULT, function);
	if (get_version == NULL)
	{
		snprintf(name, SOFTWARE_NAME, ", icu %s", found);
		return 1;
	}
	get_version(version);
	snprintf(name, SOFTWARE_NAME, ", icu %d.%d.%d.%d",
			 version[0], version[1], version[2], version[3]);
	return 1;
}
#endif

static void
name_software(char name[SOFTWARE_NAME], const char *server)
{
	const char *libc = "";
	char		icu[SOFTWARE_NAME] = "";

#ifdef __GLIBC__
	libc = gnu_get_libc_version();
#endif
#ifdef __linux__
	(void) dl_iterate_phdr(note_icu, icu);
#endif
	memset(name, 0, SOFTWARE_NAME);
	snprintf(name, SOFTWARE_NAME, "%s, %s, %s%s",
			 server, libc,
#ifdef USE_LZ4
			 "lz4",
#else
			 "pglz",
#endif
			 icu);
}

/*
 * Name the server's version, the C library's, how values can be compressed, and
 * ICU's version, if the server has it.
 */
void
software_name(char name[SOFTWARE_NAME])
{
	name_software(name, GetConfigOption("server_version", false, false));
}

/*
 * The same, but for the server's minor version: those whose names are equal hash
 * equal keys alike.
 */
void
software_hashing(char name[SOFTWARE_NAME])
{
	name_software(name, PG_MAJORVERSION);
}
