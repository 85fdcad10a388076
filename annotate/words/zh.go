package words

// chineseTables are the texts in Simplified Chinese, by the IDs of the English.
var chineseTables = []map[string]string{
	zhSteps, zhEyes, zhTitles, zhCases, zhChecks, zhShown, zhReasons, zhMessages, zhUnopened, zhUnopenedWords, zhQUIC,
	zhClaims, zhPhrases, zhNames, zhNumbers, zhSecrets, zhPieces, zhLabels, zhFaults, zhPages, zhFailures, zhCommand, zhCheck, zhFields, zhGrade, zhSchedule, zhOverview, zhErrors, zhShort, zhMeanings, zhAlerts, zhBreak, zhExam, zhWeb,
}
