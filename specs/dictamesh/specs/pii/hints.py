# SPDX-License-Identifier: Apache-2.0
"""Words that name personal data, in English, German, French, Spanish, Italian and Dutch, and some of other languages.

Entries are divided by commas; words of an entry may stand apart or together (`first name`: `firstName`, `first_name`,
`firstname`). STRONG names hardly ever mean anything else, LIKELY ones often do, WEAK ones say little without values.
"""

from collections.abc import Mapping

from dictamesh.specs.pii.kinds import KindName

STRONG: Mapping[KindName, str] = {
    "email": "email, e mail, mail address, email id, electronic mail, courriel, correo electronico, adresse mail,"
    " mailadresse, adresse electronique, indirizzo email, posta elettronica, direccion de correo, emailadres, epost,"
    " e post, sahkoposti, correio eletronico, adres email",
    "phone": "phone, phone number, phone no, phone nr, telephone, telephone number, mobile, mobile number,"
    " mobile phone, cell phone, cellphone, cell number, msisdn, telefon, telefonnummer, tel nr, tel no, telnr,"
    " mobilnummer, mobiltelefon, handynummer, handy nr, rufnummer, numero de telephone, telephone portable, telefono,"
    " numero de telefono, telefono movil, cellulare, numero di telefono, telefoonnummer, telefoon, mobielnummer,"
    " numer telefonu, telefonszam, telefone, puhelin, puhelinnumero",
    "name": "first name, last name, full name, given name, family name, surname, middle name, maiden name, birth name,"
    " legal name, fname, lname, forename, vorname, nachname, familienname, geburtsname, vor und nachname, prenom,"
    " nom de famille, nom complet, nom de naissance, apellido, apellidos, primer apellido, segundo apellido,"
    " nombre completo, nombre de pila, nombre y apellidos, cognome, nome completo, voornaam, achternaam, familienaam,"
    " volledige naam, tussenvoegsel, fornamn, efternamn, fornavn, etternavn, efternavn, imie, nazwisko, sobrenome,"
    " apelido, etunimi, sukunimi, patient name, employee name, person name, student name, member name, guest name,"
    " passenger name, cardholder, card holder, cardholder name, account holder name, beneficiary name, contact name,"
    " contact person, ansprechpartner, mitarbeitername, kontoinhaber, karteninhaber, titulaire, titular",
    "address": "street, street address, street name, street no, street number, home address, postal address,"
    " mailing address, billing address, shipping address, delivery address, residential address, address line,"
    " addr line, house number, house no, strasse, strassenname, hausnummer, hausnr, wohnort, wohnadresse, anschrift,"
    " lieferadresse, rechnungsadresse, postadresse, rue, adresse postale, adresse de livraison, adresse de facturation,"
    " numero de rue, calle, domicilio, direccion postal, direccion de envio, indirizzo di casa, indirizzo postale,"
    " via e numero, straat, straatnaam, huisnummer, woonadres, bezorgadres, gatuadress, ulica, morada, endereco",
    "birthdate": "birth date, birthday, birth day, birthdate, date of birth, dob, year of birth, birth year, yob,"
    " geburtsdatum, geburtstag, geb datum, gebdatum, geburtsjahr, date de naissance, date naissance, naissance,"
    " annee de naissance, fecha de nacimiento, fecha nacimiento, fec nac, nacimiento, data di nascita, data nascita,"
    " nascita, geboortedatum, geboortejaar, fodelsedatum, fodselsdato, data urodzenia, data de nascimento,"
    " syntymaaika, place of birth, birth place, birthplace, geburtsort, lieu de naissance, lugar de nacimiento,"
    " luogo di nascita, geboorteplaats",
    "national-id": "ssn, social security, social security number, social security no, social insurance number,"
    " national insurance number, national insurance no, nino, national id, national id number,"
    " national identification number, identity number, identity card number, id card number, government id,"
    " citizen id, tax id, tax number, tax file number, taxpayer id, tin number, steuer id, steuerid,"
    " steueridentifikationsnummer, steuernummer, sozialversicherungsnummer, sv nummer, svnr, rentenversicherungsnummer,"
    " personalausweis, personalausweisnummer, ausweisnummer, numero de securite sociale, securite sociale,"
    " numero secu, carte d identite, numero fiscal, dni, dni nie, numero de identidad, documento de identidad,"
    " seguridad social, codice fiscale, carta d identita, carta identita, bsn, burgerservicenummer, sofinummer,"
    " rijksregisternummer, numero national, pesel, personnummer, personnr, fodselsnummer, henkilotunnus, hetu,"
    " cpr nummer, ahv nummer, ahv nr, numero avs, aadhaar, aadhaar number, aadhar, pan number, cpf, curp,"
    " voter id, health insurance number, nhs number, medicare number, krankenversichertennummer, versichertennummer",
    "passport": "passport, passport number, passport no, passport nr, reisepass, reisepassnummer, passnummer,"
    " passeport, numero de passeport, pasaporte, numero de pasaporte, passaporto, numero passaporto, paspoort,"
    " paspoortnummer, passaporte, paszport, travel document number",
    "driver-licence": "driver licence, driver license, drivers licence, drivers license, driver s license,"
    " driver s licence, driving licence, driving license, driver licence number, driver license number,"
    " driving licence number, dl number, fuhrerschein, fuehrerschein, fuhrerscheinnummer, fuehrerscheinnummer,"
    " permis de conduire, permiso de conducir, carnet de conducir, patente di guida, rijbewijs, rijbewijsnummer",
    "iban": "iban, bank account, bank account number, bank account no, bankverbindung, kontonummer, konto nr,"
    " compte bancaire, numero de compte, cuenta bancaria, numero de cuenta, conto corrente, conto bancario,"
    " bankrekening, rekeningnummer, bankkonto",
    "card": "credit card, credit card number, debit card, card number, card no, card nr, payment card, cc number,"
    " cc num, ccnum, cvv, cvc, card verification, kreditkarte, kreditkartennummer, kartennummer, carte bancaire,"
    " carte de credit, numero de carte, tarjeta de credito, numero de tarjeta, carta di credito, numero carta,"
    " creditcard, kaartnummer, primary account number",
    "special-category": "religion, religious belief, confession, konfession, ethnicity, ethnic origin, ethnic group,"
    " sexual orientation, sexual preference, political opinion, political affiliation, party membership,"
    " trade union, union membership, gewerkschaft, blood type, blood group, blutgruppe, groupe sanguin,"
    " grupo sanguineo, bloedgroep, hiv status, krankheit, maladie, enfermedad, behinderung, handicap, discapacidad,"
    " disability, criminal record, genetic data",
}

LIKELY: Mapping[KindName, str] = {
    "email": "correo, mailbox, recipient, reply to",
    "phone": "tel, fax, fax number, faxnummer, handy, movil, mobil, whatsapp, sms number, call number, gsm",
    "name": "customer name, client name, user full name, supplier contact, recipient name, owner name, holder name,"
    " employee, nickname, display name, signatory, signer, nom et prenom, kundenname, nom du client,"
    " nombre del cliente, nome cliente, klantnaam, sender name, author name, driver name, tenant name, inhaber",
    "address": "address, addr, adresse, adres, direccion, indirizzo, residence, apartment, postbox, po box",
    "postcode": "postcode, post code, postal code, zip, zip code, zipcode, plz, postleitzahl, code postal,"
    " codigo postal, cap code, codice postale, postnummer, postnr, kod pocztowy, cep, eircode, pin code",
    "birthdate": "born, born on, born at, geboren, geboren am, jahrgang, ne le, nato il, age, alter, edad, eta,"
    " leeftijd",
    "national-id": "tin, nif, nie, nir, nss, ahv, avs, rsin, cnp, egn, oib, jmbg, personal number, personal id,"
    " personal code, civil number, identity document, document number, dokumentnummer, documento, id number",
    "iban": "account number, account no, konto, rekening, cuenta, conto, iban bic, rib, sort code",
    "card": "card, karte, pan, cc",
    "ip": "ip, ip address, ip addr, ipv4, ipv6, client ip, remote ip, remote addr, source ip, last ip, login ip,"
    " user ip, ipadresse, adresse ip, direccion ip, indirizzo ip, ip adres",
    "mac": "mac address, mac addr, device mac, wifi mac, bluetooth address, hardware address, mac adresse",
    "username": "username, user name, login name, login, benutzername, nom d utilisateur, nombre de usuario,"
    " nome utente, gebruikersnaam, screen name, twitter handle, account name",
    "special-category": "diagnosis, diagnose, diagnostic code, icd code, medical condition, health status,"
    " allergies, medication, vaccination, pregnant, smoker, wheelchair",
}

WEAK: Mapping[KindName, str] = {
    "name": "name, nom, nombre, nome, naam, namn, navn, author, manager, owner, contact, kontakt, contacto, driver,"
    " sender, assignee, created by, updated by, approved by, user, person, holder",
    "phone": "portable, number to call, hotline, emergency contact",
    "email": "mail, user, login, contact, account",
    "address": "location, place, destination, via, line",
    "birthdate": "birth, geburt, nac",
    "coordinates": "latitude, longitude, lat, lng, lon, long, lat lng, lat lon, coordinates, coordinate, geo, "
    "geo point, geolocation, gps, gps position, position, breitengrad, laengengrad, langengrad, latitud, longitud,"
    " latitudine, longitudine, breedtegraad, lengtegraad",
    "gender": "gender, sex, geschlecht, sexe, sexo, sesso, geslacht, genero, genre, anrede, salutation",
    "national-id": "insee, social, citizen, identity, tax, vat id, pan, sin, id",
    "passport": "document, travel document",
    "driver-licence": "licence, license, licence number, license number, permit",
    "iban": "account, bank, payment",
    "mac": "mac, device, hardware id",
    "special-category": "race, health, medical, politics, faith",
}

PEOPLE = (
    "person, people, customer, client, user, patient, employee, staff, member, student, teacher, pupil, contact,"
    " passenger, guest, tenant, citizen, resident, doctor, nurse, applicant, candidate, donor, subscriber, voter,"
    " driver, participant, worker, colleague, kunde, kunden, mitarbeiter, benutzer, personen, mitglied, schueler,"
    " bewerber, patientin, personne, personnes, utilisateur, salarie, employe, eleve, cliente, clientes, usuario,"
    " empleado, persona, personas, alumno, paciente, utente, dipendente, paziente, persone, klant, klanten, gebruiker,"
    " medewerker, lid, leden, personeel"
)
"""Words for entities whose rows are people."""

NEGATIVE = (
    "template, count, counter, counts, total, type, kind, status, model, models, verified, verification, confirmed,"
    " confirmation, enabled, disabled, required, mandatory, optional, optin, optout, opt, consent, allowed, flag, sent,"
    " opened, clicked, bounced, bounce, delivered, format, length, size, valid, invalid, version, price, cost, fee,"
    " plan, provider, carrier, campaign, queue, server, host, port, retry, retries, attempt, attempts, limit, changed,"
    " updated, created, modified, expires, expiry, expired, expiration, preference, preferences, language, locale,"
    " label, icon, color, colour, prefix, suffix, rating, score, category, brand, scheme, network, subject, body,"
    " attachment, frequency, interval, duration, quality, warranty, case, cover, charger, accessory, app, os, browser,"
    " platform, friendly, responsive, website, url, link, page, view, banner, layout, theme, schema, table, column,"
    " field, index, rank, weight, ratio, percent, rate, class, domain, anzahl, typ, vorlage, gesendet, versendet,"
    " bestaetigt, nombre de, modele, envoye, plantilla, tipo, enviado, modello, inviato, sjabloon, aantal, verzonden,"
    " last four, last4, masked, light, lighting, art, view, furniture, food, corner, wise, mask, seconds, ms, minutes"
)
"""Words beside a hint that make the column speak about the data, not hold it."""

LEADING = "is, has, can, should, allow, allows, use, uses, show, hide, num, nb, no of, needs, want, wants, max, min"
"""Words before a hint that do."""

NOT_COMPOUNDS = (
    "headphone, microphone, smartphone, earphone, megaphone, saxophone, xylophone, gramophone, vibraphone, homophone,"
    " automobile, snowmobile, locomobile, batmobile, upstreet, mainstreet, wallstreet, passphrase, passport control"
)
"""Words that end in a hint and mean something else."""
