# Which source is compiled otherwise by which of the switches in `given`: a line FILE:SWITCH for each pair. That is a file
# that names the switch, and reaches options.h, itself or through what it includes. options.h itself only defines macros;
# what uses them names the switch, or OPTION_KEYS, which stands for all.
BEGIN { count = split(given, switch_, " ") }
/^[ \t]*#[ \t]*include[ \t]+"/ { includes[FILENAME] = includes[FILENAME] " " substr($2, 2, length($2) - 2) }
# The header that a macro names may be any.
/^[ \t]*#[ \t]*include[ \t]+[A-Z]/ { includes[FILENAME] = includes[FILENAME] " options.h"; all[FILENAME] = 1 }
FILENAME == "options.h" { next }
/OPTION_KEY/ { all[FILENAME] = 1 }
{
	for (i = 1; i <= count; i++)
		if (FILENAME in all || $0 ~ "(^|[^A-Za-z0-9])" switch_[i] "([^A-Za-z0-9]|$)")
			names[FILENAME, switch_[i]] = 1
}
END {
	options["options.h"] = 1
	do {
		more = 0
		for (file in includes) {
			headers = split(includes[file], header, " ")
			for (h = 1; h <= headers; h++) {
				if (header[h] in options && !(file in options))
					more = options[file] = 1
				for (i = 1; i <= count; i++)
					if ((header[h], switch_[i]) in names && !((file, switch_[i]) in names))
						more = names[file, switch_[i]] = 1
			}
		}
	} while (more)
	for (pair in names) {
		split(pair, parts, SUBSEP)
		if (parts[1] in options)
			print parts[1] ":" parts[2]
	}
}
