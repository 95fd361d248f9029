/*-------------------------------------------------------------------------
 *
 * literal.c
 *		Texts that mean the present time.
 *
 * The input functions of dates and times understand the words now, today,
 * tomorrow and yesterday.  As a literal such a text is read once, when the
 * query is analysed, and the constant does not tell what it came from; but its
 * place in the query's text does.
 *
 * Locking: none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "lib/stringinfo.h"

#include "depend/literal.h"

static const char *const words[] = {"now", "today", "tomorrow", "yesterday"};

/* The length of the word that the text begins with, 0 for none. */
static size_t
word_at(const char *text, size_t len)
{
	for (int i = 0; i < (int) lengthof(words); i++)
	{
		size_t		n = strlen(words[i]);

		if (n <= len && pg_strncasecmp(text, words[i], n) == 0 &&
			(n == len || !isalnum((unsigned char) text[n])))
			return n;
	}
	return 0;
}

/*
 * Is one of the words in the text?
 */
bool
literal_has_time_word(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
	{
		if ((i == 0 || !isalnum((unsigned char) text[i - 1])) &&
			word_at(text + i, len - i) > 0)
			return true;
	}
	return false;
}

/*
 * Is the text such a word, with a time of day behind it or without?
 */
bool
literal_is_time_word(const char *text)
{
	size_t		n;

	while (isspace((unsigned char) *text))
		text++;
	n = word_at(text, strlen(text));
	return n > 0 && text[n + strspn(text + n, " \t\n0123456789:.+-")] == '\0';
}

/* Past white space, of which there has to be a line's end, to a quote; or NULL. */
static const char *
continuation(const char *at)
{
	bool		newline = false;

	for (; isspace((unsigned char) *at); at++)
		newline |= *at == '\n' || *at == '\r';
	return newline && *at == '\'' ? at : NULL;
}

/*
 * The text of the string literal at this place of the source: 'text', in
 * several pieces perhaps, E'text', U&'text', or $tag$text$tag$; palloc'd.  NULL
 * if there is none.  exact: false if it has escapes, which are left as they
 * are.
 */
char *
literal_at(const char *source, int location, bool *exact)
{
	const char *at;
	const char *end;
	bool		escapes;
	StringInfoData text;

	*exact = true;
	if (source == NULL || location < 0 || (size_t) location >= strlen(source))
		return NULL;
	at = source + location;
	initStringInfo(&text);
	if (*at == '$')
	{
		const char *body = strchr(at + 1, '$');

		if (body == NULL)
			return NULL;
		body++;
		for (end = body; (end = strchr(end, '$')) != NULL; end++)
		{
			if (strncmp(end, at, body - at) == 0)
				break;
		}
		if (end == NULL)
			return NULL;
		appendBinaryStringInfo(&text, body, end - body);
		return text.data;
	}

	escapes = *at == 'e' || *at == 'E' || *at == 'u' || *at == 'U';
	at += strspn(at, "eEuU&nN");
	if (*at != '\'')
		return NULL;
	while (at != NULL)
	{
		for (at++; *at != '\0'; at++)
		{
			if (*at == '\'' && at[1] != '\'')
				break;
			if (*at == '\'')
				at++;
			else if (*at == '\\' && escapes)
			{
				*exact = false;
				if (at[1] != '\0')
					appendStringInfoChar(&text, *at++);
			}
			appendStringInfoChar(&text, *at);
		}
		at = *at == '\0' ? NULL : continuation(at + 1);
	}
	return text.data;
}
