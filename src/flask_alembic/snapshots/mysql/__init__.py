"""The schema of a MariaDB or MySQL database, as the server shows it."""
